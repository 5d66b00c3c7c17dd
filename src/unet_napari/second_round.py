"""Where a result is to be doubted, and thresholds fitted to paint, from Python.

It may import everything but `_napari`, `cli` and `api`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from unet_napari.errors import LabelsError, ResourceError, SettingsError
from unet_napari.inference.config import DEFAULT_MODEL, InferenceConfig
from unet_napari.inputs import THRESHOLDS, image_for, with_thresholds
from unet_napari.system.heap import keep_freed_memory

if TYPE_CHECKING:
    from unet_napari.images import Image, LazyArray
    from unet_napari.inference.doubt.doubtful_object import DoubtfulObject
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.threshold_fit import ThresholdFit
    from unet_napari.inputs import ImageSource, PixelSizes
    from unet_napari.keywords import InferenceKeywords
    from unet_napari.model.model import Model

__all__ = ["doubtful_objects", "fit_thresholds", "store_thresholds"]


@keep_freed_memory()
def doubtful_objects(
    image: ImageSource,
    model: Model | str | Path = DEFAULT_MODEL,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    thresholds: Mapping[str, float] | None = None,
    painted: LazyArray | None = None,
    background: int | None = None,
    most: int | None = None,
    out: Any = None,  # noqa: ANN401  anything that can be assigned to by regions
    on_progress: Callable[[Progress], None] | None = None,
    **settings: Unpack[InferenceKeywords],
) -> list[DoubtfulObject]:
    """Segment an image, and rank its objects by how far they are to be doubted.

    Parameters
    ----------
    image, model, axes, scale, thresholds, out, on_progress
        As for `segment`; the model must be one of cells.
    painted : array of int, shape ([T,] *spatial), optional
        What has been painted. Objects that are mostly painted are left out, and painted cells that
        are predicted otherwise are listed, as they may be mistakes.
    background : int, optional
        The painted number that means background.
    most : int, optional
        Number of objects to return; 500 by default.
    **settings
        Fields of `unet_napari.inference.config.InferenceConfig`.

    Returns
    -------
    list of DoubtfulObject
        The most doubtful first, each with ``doubt`` (0 to 1), ``reason``, ``number`` (its id in the
        labels of `segment`), ``point`` (a pixel of it), ``painted``, ``size``, and ``missed``: that
        it is perhaps a cell that was not found; ``mask()`` returns its pixels in its ``box``.

    Raises
    ------
    ImageError, LabelsError, SettingsError
        If image, paint or model do not suit each other, or the model tells classes apart.
    ResourceError
        If neither memory nor disk have room for the probability maps.
    """
    from unet_napari.inference import result_shape
    from unet_napari.inference.doubt.ranking import MOST, doubt_steps, drained
    from unet_napari.inference.running.kept_maps import KeptMaps

    loaded = _cells(model, thresholds)
    source = image_for(loaded, image, axes=axes, scale=scale)
    shape = result_shape(source)
    if painted is not None:
        _check_shape(painted, shape)
    with KeptMaps() as kept:
        labels = np.zeros(shape, np.uint32) if out is None else out
        _segment(source, loaded, labels, kept, InferenceConfig.from_dict(settings), on_progress)
        steps = doubt_steps(
            kept, loaded.task, painted=painted, background=background, most=most or MOST
        )
        return drained(steps, on_progress)


@keep_freed_memory()
def fit_thresholds(
    image: ImageSource,
    labels: LazyArray,
    model: Model | str | Path = DEFAULT_MODEL,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    annotated: LazyArray | None = None,
    background: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    **settings: Unpack[InferenceKeywords],
) -> ThresholdFit:
    """Find the thresholds with which a model finds the cells as they are painted.

    Nothing is stored: ``replace(model, task=replace(model.task, **fit.thresholds)).save(path)``
    does that, as ``unet-napari fit-thresholds --keep`` does.

    Parameters
    ----------
    image, model, axes, scale, on_progress
        As for `segment`; the model must be one of cells.
    labels : array of int, shape ([T,] *spatial)
        What is painted, at least five cells.
    annotated : array of bool, optional
        Mask of the parts in which every cell is painted, so that an unpainted pixel is background.
    background : int, optional
        The number among the labels that means background.
    **settings
        Fields of `unet_napari.inference.config.InferenceConfig`.

    Returns
    -------
    ThresholdFit
        ``thresholds``, which `segment` takes, and the scores with and without them.

    Raises
    ------
    ImageError, LabelsError, SettingsError
        If image, labels or model do not suit each other, or fewer than five cells are painted.
    ResourceError
        If neither memory nor disk have room for the probability maps.
    """
    from unet_napari.inference import result_shape
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.threshold_fit import fit_to_paint
    from unet_napari.labels.background import part_background

    loaded = _cells(model, None)
    source = image_for(loaded, image, axes=axes, scale=scale)
    shape = result_shape(source)
    _check_shape(labels, shape)
    if background is not None:
        labels, annotated = part_background(labels, annotated, background)
    with KeptMaps() as kept:
        out = np.zeros(shape, np.uint32)
        _segment(source, loaded, out, kept, InferenceConfig.from_dict(settings), on_progress)
        return fit_to_paint(kept, loaded.task, labels, annotated)


def store_thresholds(
    model: str | Path,
    thresholds: Mapping[str, float],
    output: str | Path | None = None,
    source: Mapping[str, Any] | None = None,
) -> Path:
    """Store thresholds in a model file, in one step, with where they come from.

    Parameters
    ----------
    model : str or Path
        Name or path of the model.
    thresholds : mapping
        As for `segment`.
    output : str or Path, optional
        The file to write; by default the model's own.
    source : mapping, optional
        Origin of the thresholds, for the provenance; JSON values.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelFileError
        If there is no such model.
    OutputError
        If the file cannot be written; what was there is intact.
    SettingsError
        If the model has no such threshold, or a value is out of range.
    """
    from unet_napari._version import __version__
    from unet_napari.model.info import find_model
    from unet_napari.model.model import Model

    path = find_model(str(model))
    own = Model.load(path)
    changed = with_thresholds(own, thresholds)
    record = {
        "values": {name: getattr(changed.task, name) for name in THRESHOLDS},
        "before": {name: getattr(own.task, name) for name in THRESHOLDS},
        "unet-napari": __version__,
        **(source or {}),
    }
    if output is not None:
        path = Path(output)
        changed = replace(changed, name=path.stem)
    provenance = {**changed.provenance, "thresholds": record}
    return replace(changed, provenance=provenance).save(path)


def _cells(model: Model | str | Path, thresholds: Mapping[str, float] | None) -> Model:
    """Load a model of cells."""
    from unet_napari.model.model import Model

    loaded = model if isinstance(model, Model) else Model.load(model)
    if not loaded.task.kind.separates_objects:
        raise SettingsError(f"'{loaded.name}' tells classes apart: choose a model of cells.")
    return with_thresholds(loaded, thresholds or {})


def _check_shape(painted: LazyArray, shape: tuple[int, ...]) -> None:
    """Raise `LabelsError` unless labels have the shape of the result."""
    if tuple(painted.shape) != shape:
        raise LabelsError(
            f"The labels have the shape {tuple(painted.shape)}, but this image needs {shape}."
        )


def _segment(
    image: Image,
    model: Model,
    labels: Any,  # noqa: ANN401  as `segment` has it
    kept: KeptMaps,
    config: InferenceConfig,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    """Segment an image and keep its maps."""
    from unet_napari.inference import segment_steps

    for step in segment_steps(image, model, labels, config, kept=kept):
        if on_progress is not None:
            on_progress(step)
    if not kept.whole and np.any(labels):
        raise ResourceError(
            f"There is no room for the probability maps of '{image.name}': free some memory or "
            "disk, or take a part of the image."
        )
