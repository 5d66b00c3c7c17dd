"""Labels with the axes of their image. No torch.

Labels have the axes of their image without the channels. Either of the two may have axes of length
1 that the other lacks: an OME-Zarr image has five axes even if it is a single plane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari import images
from unet_napari.errors import ImageError, LabelsError, without_warnings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

    from unet_napari.images import Image, LazyArray

__all__ = ["fit_labels", "labels_axes", "labels_on", "labels_shape", "open_labels", "read_labels"]


def labels_axes(image: Image) -> str:
    """Return the axes of an image's labels: the spatial ones, after T if there are frames."""
    return ("T" if image.frames > 1 else "") + image.spatial_axes


def labels_shape(image: Image) -> tuple[int, ...]:
    """Return the shape of an image's labels, see `labels_axes`."""
    return (image.frames, *image.shape) if image.frames > 1 else image.shape


def labels_on(image: Image, labels: LazyArray) -> Image:
    """Return labels with the axes and the pixel size of the image that they lie on.

    Raises
    ------
    LabelsError
        If their shape is not that of the image, naming both.
    """
    axes = labels_axes(image)
    wanted = labels_shape(image)
    if tuple(labels.shape) != wanted:
        raise LabelsError(
            f"The labels have the shape {tuple(labels.shape)}, but '{image.name}' needs labels of "
            f"{wanted}: choose the labels of this image."
        )
    known = {axis: size for axis, size in image.pixel_size.items() if axis in axes}
    return images.Image(labels, axes, known, name=f"labels of {image.name}")


def read_labels(path: Path, image: Image) -> LazyArray:
    """Open the labels of an image without reading them.

    Parameters
    ----------
    path
        A file that `read_image` takes. If it does not name its axes, they are those of the image,
        with or without the channels.
    image
        The image that the labels belong to.

    Returns
    -------
    LazyArray
        The labels in the shape `labels_shape`, or as they are stored if they do not fit.

    Raises
    ------
    ImageError
        If the file cannot be read.
    LabelsError
        If it is a picture in colours.
    """
    errors = []
    for axes in (None, image.axes, image.axes.replace("C", "")):
        try:
            # Labels may well be a picture with a table, and they need no pixel size.
            with without_warnings("takes its colours from a table", "the pixel size along"):
                labels = images.read_image(path, axes=axes)
        except ImageError as error:
            errors.append(error)
        else:
            pixels, letters = _without_colours(path, labels)
            return fit_labels(pixels, image, letters)
    raise errors[0]


def open_labels(
    labels: Image | LazyArray | str | Path,
    *,
    axes: str | None = None,
    pixel_size: Mapping[str, float] | None = None,
) -> Image:
    """Open labels for themselves, without their image; nothing is read.

    Raises
    ------
    ImageError
        If the file cannot be read, or the axes cannot be told.
    LabelsError
        If it is a picture in colours.
    """
    with without_warnings("takes its colours from a table"):
        found = images.as_image(labels, axes=axes, pixel_size=pixel_size)
    if found.source is None:
        return found
    pixels, letters = _without_colours(found.source, found)
    return replace(found, data=pixels, axes=letters)


def _without_colours(path: Path, labels: Image) -> tuple[LazyArray, str]:
    """Return one channel of a picture with equal channels, which is how programs save grays."""
    if labels.axes != "YXC" or labels.data.shape[2] != 3:
        return labels.data, labels.axes
    pixels = np.asarray(labels.data[...])
    if (pixels != pixels[..., :1]).any():
        raise LabelsError(
            f"{path} is a picture in colours, but labels are numbers: save it as a gray image in "
            "which each cell, or each class, has a number of its own."
        )
    return pixels[..., 0], "YX"


def fit_labels(labels: LazyArray, image: Image, axes: str | None = None) -> LazyArray:
    """View labels with the axes of their image; nothing is copied.

    Parameters
    ----------
    labels
        An array of the image's shape with or without its channels (a channel axis must have
        length 1), or of the shape `labels_shape`, each with or without axes of length 1.
    image
        The image that the labels belong to. An axis that it holds at one index is held by labels
        that have it, too.
    axes
        Letters of the axes of the labels, which count where the shape alone does not tell.

    Returns
    -------
    LazyArray
        The labels in the shape `labels_shape`, or `labels` themselves if they do not fit.
    """
    shape, own = labels_shape(image), labels_axes(image)
    if tuple(labels.shape) == shape and shape != tuple(image.data.shape):
        return labels
    for letters in _possible_axes(tuple(labels.shape), image, own, axes):
        held = _held_indices(tuple(labels.shape), letters, image, own)
        order = tuple(letters.index(axis) if axis in letters else None for axis in own)
        if held is None or shape != tuple(1 if i is None else labels.shape[i] for i in order):
            continue
        if None not in order and order == tuple(range(len(labels.shape))):
            return labels
        view = _View(labels, held, order)
        return view[...] if isinstance(labels, np.ndarray) else view
    return labels


def _possible_axes(
    shape: tuple[int, ...], image: Image, own: str, axes: str | None
) -> list[Sequence[str]]:
    """Return possible axes of labels, the likeliest first, with "" for an axis to be dropped."""
    spatial = image.axes.replace("C", "")
    found: list[Sequence[str]] = [
        letters for letters in (image.axes, spatial, own) if len(letters) == len(shape)
    ]
    if axes is not None:
        found.append(axes)
    # The last possibility: labels with more or fewer axes of length 1 than the image.
    leading = [size for size in shape[:-2] if size != 1]
    sizes = zip(own[:-2], labels_shape(image), strict=False)
    wanted = [axis for axis, size in sizes if size != 1]
    if len(leading) == len(wanted) and len(shape) >= 2:
        letters = iter(wanted)
        found.append([*(next(letters) if size != 1 else "" for size in shape[:-2]), "Y", "X"])
    return found


def _held_indices(
    shape: tuple[int, ...], letters: Sequence[str], image: Image, own: str
) -> tuple[int | None, ...] | None:
    """Return for each axis the index it is held at, or None if it is free.

    The result as a whole is None if labels of this shape cannot have these axes.
    """
    held: list[int | None] = []
    for size, axis in zip(shape, letters, strict=True):
        if axis and axis in own:
            held.append(None)
        elif size == 1:
            held.append(0)
        elif axis in image.fixed and axis != "C" and size == _size(image, axis):
            held.append(image.fixed[axis])
        else:
            return None
    return tuple(held)


def _size(image: Image, axis: str) -> int:
    return int(image.data.shape[image.axes.index(axis)])


@dataclass(frozen=True, eq=False)
class _View:
    """An array with its axes in another order, some held at an index, some new of length 1.

    Attributes
    ----------
    data
        The array.
    held
        For each axis of `data` the index that it is held at, or None.
    order
        For each axis of the view the axis of `data`, or None for a new one.
    """

    data: LazyArray
    held: tuple[int | None, ...]
    order: tuple[int | None, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(1 if axis is None else self.data.shape[axis] for axis in self.order)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:  # noqa: ANN401  integers, slices, an ellipsis
        parts = self._parts(key)
        source: list[Any] = list(self.held)
        for part, axis in zip(parts, self.order, strict=True):
            if axis is not None:
                source[axis] = part
        values = np.asarray(self.data[tuple(source)])
        kept = [axis for axis, part in enumerate(source) if isinstance(part, slice)]
        wanted = [
            axis
            for part, axis in zip(parts, self.order, strict=True)
            if axis is not None and isinstance(part, slice)
        ]
        values = values.transpose([kept.index(axis) for axis in wanted])
        new = tuple(
            (part if axis is None else slice(None), axis is None)
            for part, axis in zip(parts, self.order, strict=True)
            if axis is None or isinstance(part, slice)
        )
        values = values[tuple(None if is_new else slice(None) for _, is_new in new)]
        return np.asarray(values[tuple(part for part, _ in new)])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self[...], dtype=dtype, copy=copy)

    def _parts(self, key: Any) -> list[Any]:  # noqa: ANN401
        """Return an integer or a slice for each axis."""
        parts = list(key) if isinstance(key, tuple) else [key]
        missing = len(self.order) - sum(part is not Ellipsis for part in parts)
        if Ellipsis not in parts:
            parts.append(Ellipsis)
        at = parts.index(Ellipsis)
        return [*parts[:at], *[slice(None)] * missing, *parts[at + 1 :]]
