"""To the pixel size of the model and back, piece by piece.

Interpolation and smoothing work along one axis after the other, and each pixel is the same sum
of the same terms whatever else is asked for, so the pieces do not matter, down to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.geometry import Box
from unet_napari.inference.running.reading import chunk_rows, continued

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.images import Image
    from unet_napari.inference.running.places import ViewWriter
    from unet_napari.inference.running.reading import Floats
    from unet_napari.tasks.decoding.blocks import Store


__all__ = ["rescale_image", "rescale_labels"]

# Bytes of the image, or of labels, that are in memory at a time.
_BYTES_AT_ONCE = 2**25
_LABEL_BYTES = np.dtype(np.uint32).itemsize
# Standard deviations within which an image is smoothed before it gets smaller.
_TRUNCATION = 4.0


def rescale_image(image: Image, shape: tuple[int, ...]) -> Image:
    """Return an image in another spatial shape, interpolated linearly.

    Where it gets smaller it is smoothed before, so that no detail turns into a pattern: by a
    Gaussian whose standard deviation is half of what the factor is above 1, as
    `skimage.transform.resize` does. Nothing is read yet, and later only what a part needs.
    """
    if image.shape == shape:
        return image
    return replace(
        image,
        data=_Rescaled(image, shape),
        axes="C" + image.spatial_axes,
        fixed={},
        pixel_size={},
    )


class _Rescaled:
    """An image (C, *S) in another shape, as an array that is computed where it is read."""

    dtype = np.dtype(np.float32)

    def __init__(self, image: Image, shape: tuple[int, ...]) -> None:
        self._image = image
        self.shape = (image.channels, *shape)
        self._axes = [_Axis(*sizes) for sizes in zip(image.shape, shape, strict=True)]

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """About what the chunks of the file are here, for whoever reads them one by one."""
        rows = chunk_rows(self._image)
        if rows is None:
            return None
        return (1, max(1, round(rows * self._axes[0].new / self._axes[0].old)), *self.shape[2:])

    def __getitem__(self, key: tuple[slice, ...], /) -> Floats:
        channels, *parts = key
        box = [part.indices(size)[:2] for part, size in zip(parts, self.shape[1:], strict=True)]
        return self._part(box)[channels]

    def _part(self, box: list[tuple[int, int]]) -> Floats:
        (start, stop), *rest = box
        needed = [axis.needs(*part) for axis, part in zip(self._axes, box, strict=True)]
        pixels = self.shape[0] * math.prod(last - first for first, last in needed)
        if pixels * self.dtype.itemsize > _BYTES_AT_ONCE and stop - start > 1:
            middle = (start + stop) // 2
            halves = [(start, middle), (middle, stop)]
            return np.concatenate([self._part([half, *rest]) for half in halves], axis=1)
        array = self._image.read(tuple(slice(*span) for span in needed)).astype(np.float32)
        for number, (axis, part, span) in enumerate(zip(self._axes, box, needed, strict=True)):
            array = axis.apply(array, number + 1, part, span[0])
        return array


class _Axis:
    """How one axis of `old` pixels gets `new` ones."""

    def __init__(self, old: int, new: int) -> None:
        self.old, self.new = old, new
        sigma = max(0.0, (old / new - 1) / 2)
        self._radius = int(_TRUNCATION * sigma + 0.5)
        offsets = np.arange(-self._radius, self._radius + 1)
        bell = np.exp(-0.5 * (offsets / sigma) ** 2) if self._radius else np.ones(1)
        self._bell = bell / bell.sum()

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Return the old pixels that the new ones ``start .. stop`` are made of."""
        if self.old == self.new:
            return start, stop
        indices = self._terms(start, stop)[0]
        return int(indices.min()), int(indices.max()) + 1

    def apply(self, array: Floats, axis: int, part: tuple[int, int], first: int) -> Floats:
        """Return the new pixels of a part, given the old ones from `first` on, along `axis`."""
        if self.old == self.new:
            return array
        indices, weights = self._terms(*part)
        along = (len(indices), *(1,) * (array.ndim - axis - 1))
        total = np.zeros((*array.shape[:axis], len(indices), *array.shape[axis + 1 :]), np.float32)
        for index, weight in zip((indices - first).T, weights.T, strict=True):
            total += array.take(index, axis=axis) * weight.reshape(along)
        return total

    def _terms(self, start: int, stop: int) -> tuple[NDArray[np.intp], Floats]:
        """Return for each new pixel the old ones that it is a sum of, and their weights."""
        centres = (np.arange(start, stop) + 0.5) * self.old / self.new - 0.5
        lower = np.floor(centres).astype(int)
        share = (centres - lower)[:, np.newaxis]
        none = np.zeros(1)
        weights = (1 - share) * np.append(self._bell, none) + share * np.append(none, self._bell)
        margin = self._radius + 2  # pixels beyond the border are mirrored
        mirrored = continued(-margin, self.old + margin, self.old, margin)
        places = lower[:, np.newaxis] + np.arange(-self._radius, self._radius + 2)
        return mirrored[places + margin], weights.astype(np.float32)


def rescale_labels(labels: Store, place: ViewWriter) -> Iterator[Box]:
    """Write labels into a place of another shape: each pixel takes the label at its centre.

    Yields
    ------
    Box
        Each part that has been written.
    """
    nearest: list[NDArray[np.intp]] = [
        ((np.arange(new) + 0.5) * old / new).astype(np.intp)
        for new, old in zip(place.shape, labels.shape, strict=True)
    ]
    rows, *others = nearest
    chunk = place.chunks[0] if place.chunks else 1
    largest = max(math.prod(labels.shape[1:]), math.prod(place.shape[1:])) * _LABEL_BYTES
    step = max(1, _BYTES_AT_ONCE // (largest * chunk)) * chunk
    for box in Box.whole(place.shape).slabs(step):
        part = rows[box.start[0] : box.stop[0]]
        taken: NDArray[Any] = labels[(slice(int(part[0]), int(part[-1]) + 1),)]
        place[box.to_slices()] = taken[np.ix_(part - part[0], *others)]
        yield box
