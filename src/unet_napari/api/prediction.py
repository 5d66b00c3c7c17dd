"""Predict and segment from Python: the generators of `inference`, drained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from unet_napari.api.region_calls import predicted_region, segmented_region
from unet_napari.engine.remote.runs import segment_elsewhere
from unet_napari.errors import OutputError
from unet_napari.inference.config import DEFAULT_MODEL, InferenceConfig
from unet_napari.inputs import image_for, with_thresholds
from unet_napari.system.heap import keep_freed_memory

if TYPE_CHECKING:
    from distributed import Client
    from numpy.typing import NDArray

    from unet_napari.defaults import Device
    from unet_napari.engine.remote.host import RemoteHost
    from unet_napari.images import Image
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.regions.region import RegionSource
    from unet_napari.inputs import ImageSource, PixelSizes
    from unet_napari.keywords import InferenceKeywords
    from unet_napari.model.model import Model

__all__ = ["attention_maps", "estimate_diameter", "predict", "segment"]


@keep_freed_memory()
def predict(
    image: ImageSource,
    model: Model | str | Path,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    region: RegionSource | None = None,
    out: Any = None,  # noqa: ANN401  anything that can be assigned to by regions
    on_progress: Callable[[Progress], None] | None = None,
    **settings: Unpack[InferenceKeywords],
) -> Any:  # noqa: ANN401  `out` as it was given
    """Compute the probability maps of an image.

    Parameters
    ----------
    image : array, path or Image
    model : Model or str
        A model, or the name or path of one.
    axes, scale
        As for `train`.
    region : str, mapping, array or path, optional
        Part of the image, see `segment`: only its maps are computed, and the rest of `out` stays
        as it is, else 0.
    out : array-like of float32, shape (K, [T,] *spatial), optional
        Numpy, memory-mapped or zarr array to write into; made where not given. The time axis
        of a time series comes after the maps.
    on_progress : callable, optional
        Called with each `Progress`; an exception it raises stops the prediction.
    **settings
        Fields of `unet_napari.inference.config.InferenceConfig`.

    Returns
    -------
    array of float32, shape (K, [T,] *spatial)
        `out`; K is 3 (foreground, boundary, distance) for ``cells``, the number of classes for
        ``semantic``.
    """
    from unet_napari.inference import predict_steps, result_shape

    loaded = _load(model)
    source = image_for(loaded, image, axes=axes, scale=scale)
    shape = (loaded.task.out_channels, *result_shape(source))
    out = np.zeros(shape, np.float32) if out is None else _fitting(out, shape)
    config = InferenceConfig.from_dict(settings)
    if region is None:
        steps: Iterable[Progress] = predict_steps(source, loaded, out, config)
    else:
        steps = predicted_region(region, source, loaded, out, config)
    _drain(steps, on_progress)
    return out


@keep_freed_memory()
def segment(
    image: ImageSource,
    model: Model | str | Path = DEFAULT_MODEL,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    thresholds: Mapping[str, float] | None = None,
    region: RegionSource | None = None,
    out: Any = None,  # noqa: ANN401  anything that can be assigned to by regions
    client: Client | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    host: str | RemoteHost | None = None,
    **settings: Unpack[InferenceKeywords],
) -> Any:  # noqa: ANN401  `out` as it was given
    """Segment an image.

    Parameters
    ----------
    image : array, path or Image
        A film is looped over; of a stack a 2D model makes 3D objects unless ``slicewise=True``.
    model : Model or str, optional
        A model, or the name or path of one. Without it ``"nuclei"``, which comes with the package.
    axes, scale
        As for `train`.
    thresholds : mapping, optional
        Fields of `unet_napari.inference.config.CellThresholds` in place of the model's.
    region : str, mapping, array or path, optional
        Part of the image (``docs/guide/inference.md#a-region``): ``"Y=100:400,X=0:300"``, slices
        by axis letter, an array ([T,] *spatial) that is not 0 there, or the file of one.
    out : array-like of uint32, shape ([T,] *spatial), optional
        Numpy, memory-mapped or zarr array to write into; labels outside of a region stay.
    client : distributed.Client, optional
        A Dask cluster, with a path `image` and a zarr `out` (``docs/guide/cluster.md``).
    on_progress : callable, optional
        Called with each `Progress`; an exception it raises stops the segmentation.
    host : str or RemoteHost, optional
        Computer that segments instead, such as ``"me@server"`` (``docs/guide/remote.md``).
    **settings
        Fields of `unet_napari.inference.config.InferenceConfig`.

    Returns
    -------
    array of uint32, shape ([T,] *spatial)
        `out`; ``cells``: one id for each, 0 is background. ``semantic``: the painted ids.

    Raises
    ------
    ImageError, OutputError, SettingsError
        If what is given does not fit together, naming both.
    """
    from unet_napari.inference import result_shape

    loaded = with_thresholds(_load(model), thresholds or {})
    source = image_for(loaded, image, axes=axes, scale=scale)
    shape, config = result_shape(source), InferenceConfig.from_dict(settings)
    empty, cluster = out is None, client is not None and region is None
    out = np.zeros(shape, np.uint32) if empty and not cluster else _fitting(out, shape)
    steps = _segment_steps(source, loaded, out, config, client, host, region, empty=empty)
    _drain(steps, on_progress)
    return out


@keep_freed_memory()
def attention_maps(
    image: ImageSource,
    model: Model | str | Path,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    device: Device = "auto",
) -> NDArray[np.float32]:
    """Compute where the gates of an attention U-Net look.

    Parameters
    ----------
    image : array, path or Image
        Image with the spatial axes of the network; it goes through the network at once.
    model : Model or str
        A model of an attention U-Net, or the name or path of one.
    axes, scale
        As for `train`.
    device : {"auto", "cpu", "cuda", "mps"}

    Returns
    -------
    array of float32, shape (levels, *spatial)
        Weights of the gates, from 0 (shut) to 1 (open), finest level first.

    Raises
    ------
    ImageError, ResourceError
        If the image does not suit the model, or is too large.
    SettingsError
        If the network has no attention gates.
    """
    from unet_napari.inference.attention_maps import gate_maps
    from unet_napari.inference.config import InferenceConfig

    loaded = _load(model)
    source = image_for(loaded, image, axes=axes, scale=scale)
    return gate_maps(source, loaded, InferenceConfig(device=device))


@keep_freed_memory()
def estimate_diameter(
    image: ImageSource,
    model: Model | str | Path,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    **settings: Unpack[InferenceKeywords],
) -> float | None:
    """Estimate the typical diameter of the objects in an image.

    Parameters
    ----------
    image : array, path or Image
    model : Model or str
        A model of cells, or the name or path of one.
    axes, scale
        As for `train`.
    **settings
        Fields of `unet_napari.inference.config.InferenceConfig`, such as ``device="cpu"``.

    Returns
    -------
    float or None
        Diameter of a disc, or ball, of the same size, in the smallest pixels of the image: what
        ``segment(..., diameter=)`` takes. None where the model finds too few objects.
    """
    from unet_napari.inference import diameter_steps

    loaded = _load(model)
    source = image_for(loaded, image, axes=axes, scale=scale)
    steps = diameter_steps(source, loaded, InferenceConfig.from_dict(settings))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return None if end.value is None else float(end.value)


def _segment_steps(
    image: Image,
    model: Model,
    out: Any,  # noqa: ANN401  anything that can be assigned to by regions
    config: InferenceConfig,
    client: Client | None,
    host: str | RemoteHost | None,
    region: RegionSource | None,
    *,
    empty: bool,
) -> Iterable[Progress]:
    """Return the steps of a segmentation: here, on another computer, or on many."""
    if region is not None:
        return segmented_region(region, image, model, out, config, client, host, empty=empty)
    if host is not None:
        return segment_elsewhere(host, image, model, out, config)
    if client is not None:
        from unet_napari.cluster.client_run import segment_on_cluster  # needs an extra

        return segment_on_cluster(client, image, model, out, config)
    from unet_napari.inference import segment_steps

    return segment_steps(image, model, out, config)


def _drain(steps: Iterable[Progress], on_progress: Callable[[Progress], None] | None) -> None:
    for step in steps:
        if on_progress is not None:
            on_progress(step)


def _load(model: Model | str | Path) -> Model:
    from unet_napari.model.model import Model

    return model if isinstance(model, Model) else Model.load(model)


def _fitting(out: Any, shape: tuple[int, ...]) -> Any:  # noqa: ANN401
    """Return the array to write into; raises `OutputError`, before the work, if it does not fit."""
    if out is None:
        raise OutputError(
            "The workers of a cluster write into a zarr array that all of them see: give it as "
            f"out, with the shape {shape}."
        )
    if tuple(out.shape) != shape:
        raise OutputError(f"out has the shape {tuple(out.shape)}, but the result {shape}.")
    return out
