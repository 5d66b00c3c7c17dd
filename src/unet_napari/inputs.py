"""What a user hands over, understood in the light of its labels or of the model.

It may import `images`, `labels`, `model`, `inference` and `training`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import ImageError, LabelsError, SettingsError
from unet_napari.images import Image, as_image
from unet_napari.images.colours import fit_colours
from unet_napari.inference.config import CellThresholds
from unet_napari.labels.label_axes import fit_labels, labels_on, open_labels, read_labels
from unet_napari.options import options_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from unet_napari.images import LazyArray
    from unet_napari.model.model import Model
    from unet_napari.training.data.pairs import Pair

    ImageSource = Image | LazyArray | ArrayLike | str | Path
    LabelsSource = LazyArray | str | Path
    PixelSizes = Mapping[str, float] | Sequence[float]

__all__ = [
    "THRESHOLDS",
    "image_for",
    "measured_pair",
    "pair_up",
    "pair_up_all",
    "with_thresholds",
]


THRESHOLDS = tuple(options_of(CellThresholds))
"""Parameters of the cells task that say how its maps are cut into cells."""
_COLOURS = (3, 4)  # RGB and RGBA lie behind the other axes


def pair_up(
    image: ImageSource,
    labels: LabelsSource,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    annotated: LabelsSource | None = None,
) -> Pair:
    """Put an image and its labels together; the labels tell where the channel axis is.

    Raises
    ------
    ImageError
        If a file cannot be read.
    LabelsError
        If the shapes do not fit, naming both.
    """
    from unet_napari.training.data.pairs import Pair

    is_array = not isinstance(image, Image | str | Path)
    if isinstance(labels, str | Path) and is_array:
        labels = open_labels(labels).data
    if axes is None and not isinstance(image, Image | str | Path):
        image = np.asarray(image) if isinstance(image, list | tuple) else image
        axes = _axes_from_labels(tuple(image.shape), tuple(labels.shape))  # type: ignore[union-attr]
    source = as_image(image, axes=axes, pixel_size=_pixel_size(scale, axes))  # type: ignore[arg-type]
    region = None if annotated is None else _labels_of(annotated, source)
    return Pair(source, _labels_of(labels, source), region)


def pair_up_all(
    images: Any,  # noqa: ANN401  one or a list
    labels: Any,  # noqa: ANN401
    annotated: Any,  # noqa: ANN401
    axes: str | None,
    scale: PixelSizes | None,
) -> list[Pair]:
    """Put each of several images and its labels together, as `unet_napari.train` takes them.

    Raises
    ------
    LabelsError
        If there are not as many labels as images, or they do not fit.
    """
    image_list, label_list = _as_list(images), _as_list(labels)
    annotated_list = [None] * len(image_list) if annotated is None else _as_list(annotated)
    if not len(image_list) == len(label_list) == len(annotated_list):
        raise LabelsError(
            f"{len(image_list)} images, but {len(label_list)} labels "
            f"and {len(annotated_list)} annotated regions: give one of each for every image."
        )
    return [
        pair_up(image, label, axes=axes, scale=scale, annotated=region)
        for image, label, region in zip(image_list, label_list, annotated_list, strict=True)
    ]


def measured_pair(
    labels: ImageSource,
    image: ImageSource | None = None,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    channel: int | None = None,
) -> tuple[Image, Image | None]:
    """Open labels that are to be measured, and the image that they lie on.

    Parameters
    ----------
    labels
        Labels, or the path of a file of them.
    image
        The image, if intensities are to be measured.
    axes, scale
        Axes and pixel size of the image, or of the labels if there is no image.
    channel
        The only channel of the image that is measured, counted from 0; by default all are.

    Raises
    ------
    ImageError, LabelsError
        If they cannot be read or do not fit, naming both.
    """
    size = _pixel_size(scale, axes)
    if image is None:
        return open_labels(labels, axes=axes, pixel_size=size), None  # type: ignore[arg-type]
    file = isinstance(labels, str | Path)
    found = labels.data if isinstance(labels, Image) else labels
    if not file:
        found = found if hasattr(found, "dtype") else np.asarray(found)
        if axes is None and not isinstance(image, Image | str | Path):
            image = image if hasattr(image, "dtype") else np.asarray(image)
            axes = _axes_from_labels(tuple(image.shape), tuple(found.shape))  # type: ignore[union-attr]
    source = as_image(image, axes=axes, pixel_size=size, channel=channel)  # type: ignore[arg-type]
    fitted = read_labels(Path(labels), source) if file else fit_labels(found, source)  # type: ignore[arg-type]
    return labels_on(source, fitted), source


def image_for(
    model: Model,
    image: ImageSource,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    channel: int | None = None,
) -> Image:
    """Understand an image in the light of the model it is meant for.

    An array says nothing about its axes; the model's channels and dimensions often do. Of colour
    pictures, what the model can use is taken, see `fit_colours`.
    """
    if axes is None and not isinstance(image, Image | str | Path):
        image = np.asarray(image) if isinstance(image, list | tuple) else image
        axes = _axes_from_model(tuple(image.shape), model)  # type: ignore[union-attr]
    size = _pixel_size(scale, axes)
    found = as_image(image, axes=axes, pixel_size=size, channel=channel)  # type: ignore[arg-type]
    return fit_colours(found, model.channels)


def with_thresholds(model: Model, thresholds: Mapping[str, float]) -> Model:
    """Return a model that decodes with other thresholds than its own.

    Parameters
    ----------
    model : Model
    thresholds : mapping
        ``foreground_threshold``, ``seed_threshold`` and ``boundary_threshold`` from 0 to 1,
        ``min_size`` in pixels; what is not named stays the model's own.

    Raises
    ------
    SettingsError
        If the model's task has no such threshold, or a value is out of range.
    """
    if not thresholds:
        return model
    own = [name for name in THRESHOLDS if hasattr(model.task, name)]
    unknown = sorted(set(thresholds) - set(own))
    if unknown:
        has = f"only {', '.join(own)}" if own else "none: it tells classes apart, not cells"
        raise SettingsError(
            f"'{model.name}' has no threshold called {', '.join(unknown)}, but {has}."
        )
    CellThresholds.from_dict(thresholds)  # raises an error that names what is out of range
    return replace(model, task=replace(model.task, **thresholds))


def _labels_of(labels: LabelsSource, image: Image) -> LazyArray:
    return read_labels(Path(labels), image) if isinstance(labels, str | Path) else labels


def _pixel_size(scale: PixelSizes | None, axes: str | None) -> dict[str, float] | None:
    if scale is None:
        return None
    if isinstance(scale, Mapping):
        return dict(scale)
    spatial = [axis for axis in axes or {2: "YX", 3: "ZYX"}.get(len(scale), "") if axis in "ZYX"]
    if len(scale) != len(spatial):
        raise SettingsError(
            f"scale has {len(scale)} numbers, but the image the spatial axes {''.join(spatial)}: "
            'give one for each, or name them, such as scale={"Y": 0.25, "X": 0.25}.'
        )
    return {axis: float(size) for axis, size in zip(spatial, scale, strict=True)}


def _axes_from_labels(image: tuple[int, ...], labels: tuple[int, ...]) -> str:
    if image == labels and len(image) == 5 and image[1] == 1:
        return "TCZYX"
    spatial = {2: "YX", 3: "ZYX", 4: "TZYX"}.get(len(labels))
    if spatial is not None:
        if image == labels:
            return spatial
        for channel in (len(labels), *range(len(labels) - 1)):  # behind, before, among them
            if image[:channel] + image[channel + 1 :] == labels:
                return spatial[:channel] + "C" + spatial[channel:]
        front = image[: -len(labels)]
        if len(image) <= 5 and image == front + labels and set(front) == {1}:
            return "TCZYX"[-len(image) :]
    raise LabelsError(
        f"The labels have the shape {labels}, the image {image}: "
        "they must agree in every axis but the channels."
    )


def _axes_from_model(shape: tuple[int, ...], model: Model) -> str | None:
    spatial = {2: "YX", 3: "ZYX"}[model.ndim]
    if len(shape) == model.ndim:
        return spatial
    if len(shape) == model.ndim + 1:
        if shape[-1] in _COLOURS or (model.channels > 1 and shape[-1] == model.channels):
            return spatial + "C"
        if model.channels > 1 and shape[0] == model.channels:
            return "C" + spatial
        if shape[0] == 1:
            return "T" + spatial
        if model.ndim == 2 and model.channels == 1:
            return "ZYX"
    raise ImageError(
        f"An image of shape {shape} can be meant in several ways for a {model.ndim}D model with "
        f'{model.channels} channel(s): name its axes, such as axes="TZYX" or axes="CYX".'
    )


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401
    return list(value) if isinstance(value, list | tuple) else [value]
