"""Train, predict and segment from Python: the engine's generators, drained.

The docks and the command line run the same code; with the same arguments and seed the
results are the same. It may import everything but `_napari` and `cli`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from unet_napari.engine.remote.runs import segment_elsewhere, train_elsewhere
from unet_napari.errors import OutputError
from unet_napari.inference.config import DEFAULT_MODEL, InferenceConfig
from unet_napari.inputs import image_for, pair_up_all, with_thresholds
from unet_napari.system.heap import keep_freed_memory

if TYPE_CHECKING:
    from distributed import Client
    from numpy.typing import NDArray

    from unet_napari.defaults import Device
    from unet_napari.engine.remote.host import RemoteHost
    from unet_napari.images import LazyArray
    from unet_napari.inference.progress import Progress
    from unet_napari.inputs import ImageSource, PixelSizes
    from unet_napari.keywords import InferenceKeywords, TrainKeywords
    from unet_napari.model.model import Model
    from unet_napari.training.events import TrainEvent

__all__ = ["attention_maps", "estimate_diameter", "predict", "segment", "train"]


@keep_freed_memory()
def train(
    images: ImageSource | Sequence[ImageSource],
    labels: LazyArray | Sequence[LazyArray],
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    annotated: LazyArray | Sequence[LazyArray] | None = None,
    start_from: Model | str | Path | None = "auto",
    state: str | Path | None = None,
    resume: str | Path | None = None,
    on_event: Callable[[TrainEvent], None] | None = None,
    host: str | RemoteHost | None = None,
    **settings: Unpack[TrainKeywords],
) -> Model:
    """Train a U-Net on painted labels.

    Parameters
    ----------
    images : array, path, Image, or a list of them
        Any real dtype; (Y, X) or (Z, Y, X), with a channel axis before or behind.
    labels : array of int, or a list of them
        One for each image, of its axes without the channels; axes of length 1 may be there or
        not. For ``cells`` an id is a cell, for ``semantic`` a class; 0 is unpainted.
    axes : str, optional
        Axes of the images, letters of ``TCZYX``; by default as the shapes are.
    scale : mapping or sequence of float, optional
        Micrometres, as ``{"Z": 1, "Y": 0.25, "X": 0.25}`` or one number for each spatial axis.
    annotated : array of bool, or a list of them, optional
        True where every cell is painted, so that an unpainted pixel is background.
    start_from : Model or str, optional
        A model to start from, or its name or path; ``"auto"``: the one that explains best what
        is painted, if any; ``"nothing"`` or None: random weights.
    state, resume : path, optional
        File in which the state is kept, such as ``"cells.state"``; the one of a training that
        goes on, with what was painted since.
    on_event : callable, optional
        Called with each `TrainEvent`; an exception it raises stops the training.
    host : str or RemoteHost, optional
        Computer that trains instead, see ``docs/guide/remote.md``.
    **settings
        Fields of `unet_napari.training.config.TrainConfig`, such as ``task="semantic"`` (default
        ``"cells"``), ``ndim=3`` (default 2: a stack slice by slice), ``seconds=120``.

    Returns
    -------
    Model
        The model with the weights that had the best validation score.

    Raises
    ------
    ImageError, LabelsError, SettingsError, ModelFileError
        Before the training starts, naming what is wrong and the remedy.
    """
    from unet_napari.training.state.drive import drive_training, make_trainer

    pairs = pair_up_all(images, labels, annotated, axes, scale)
    if host is not None:
        return train_elsewhere(host, pairs, settings, start_from, state, resume, on_event)
    trainer = make_trainer(pairs, settings, start_from, resume)
    return drive_training(trainer, resume if state is None else state, on_event)


@keep_freed_memory()
def predict(
    image: ImageSource,
    model: Model | str | Path,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
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
    steps = predict_steps(source, loaded, out, InferenceConfig.from_dict(settings))
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
        A time axis is looped over; a 2D model makes 3D objects of a stack (`slicewise`: not).
    model : Model or str, optional
        A model, or the name or path of one; by default the 2D ``"nuclei"`` of the package.
    axes, scale
        As for `train`.
    thresholds : mapping, optional
        Fields of `CellThresholds` in place of the model's, such as ``seed_threshold``.
    out : array-like of uint32, shape ([T,] *spatial), optional
        Numpy, memory-mapped or zarr array to write into; made where not given.
    client, host : distributed.Client; str or RemoteHost; optional
        A Dask cluster that works on a path `image` and a zarr `out` (``docs/guide/cluster.md``);
        another computer that segments (``docs/guide/remote.md``).
    on_progress : callable, optional
        Called with each `Progress`; an exception it raises stops the segmentation.
    **settings
        Fields of `unet_napari.inference.config.InferenceConfig`.

    Returns
    -------
    array of uint32, shape ([T,] *spatial)
        ``cells``: one id for each cell, 0 is background. ``semantic``: the painted ids.

    Raises
    ------
    ImageError
        If image and model do not fit.
    """
    from unet_napari.inference import result_shape, segment_steps

    loaded = with_thresholds(_load(model), thresholds or {})
    source = image_for(loaded, image, axes=axes, scale=scale)
    shape, config = result_shape(source), InferenceConfig.from_dict(settings)
    out = np.zeros(shape, np.uint32) if out is None and client is None else _fitting(out, shape)
    if host is not None:
        _drain(segment_elsewhere(host, source, loaded, out, config), on_progress)
    elif client is None:
        _drain(segment_steps(source, loaded, out, config), on_progress)
    else:
        from unet_napari.cluster.client_run import segment_on_cluster  # needs an extra

        _drain(segment_on_cluster(client, source, loaded, out, config), on_progress)
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
