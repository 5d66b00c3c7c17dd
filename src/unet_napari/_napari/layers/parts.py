"""Parts of an image, read into memory: a slice, what is in view, and what lies around."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet_napari._napari.layers.layer_axes import ViewPlace
from unet_napari.images import Image

__all__ = ["BREADTH", "DEPTH", "ImagePart", "cut_out", "part_around", "time_in_place"]

DEPTH = 8  # slices above and below the wanted one that a 3D network is shown
BREADTH = 32  # rows, or columns, on either side of a wanted one: no network sees a single row


@dataclass(frozen=True)
class ImagePart:
    """A wanted part of an image, and the larger one that the network is shown.

    Attributes
    ----------
    outer : Place
        What the network is shown.
    inner : tuple of (int, int)
        Place of the wanted part in it: start and stop on each of its spatial axes.
    points : tuple of int
        The spatial axes on which a single plane of a slab is wanted, which it does not have.
    """

    outer: ViewPlace
    inner: tuple[tuple[int, int], ...]
    points: tuple[int, ...]

    def flattened(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return a result of the wanted part, ``(..., [Z,] Y, X)``, with its own axes."""
        axes = tuple(values.ndim - len(self.inner) + axis for axis in self.points)
        return values.squeeze(axes)

    def plane(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what lies in the wanted plane of a result, ``([Z,] Y, X)``, of the outer part."""
        key = tuple(
            start if axis in self.points else slice(None)
            for axis, (start, _) in enumerate(self.inner)
        )
        return values[key]

    @property
    def window(self) -> tuple[slice, ...]:
        """Where the outer part lies on the axes of the wanted plane, in the image."""
        return self._of_plane(list(self.outer.region.values()))

    @property
    def inner_window(self) -> tuple[slice, ...]:
        """Where the wanted part lies on these axes, in the outer part."""
        return self._of_plane([slice(*pair) for pair in self.inner])

    def _of_plane(self, ranges: list[slice]) -> tuple[slice, ...]:
        return tuple(part for axis, part in enumerate(ranges) if axis not in self.points)


def part_around(
    place: ViewPlace, axes: str, shape: tuple[int, ...], context: Mapping[str, int]
) -> ImagePart:
    """Add context to a part of an image, as far as the image goes.

    Parameters
    ----------
    place : Place
        The wanted part.
    axes, shape
        The axes and shape of the image's array.
    context : mapping of str to int
        Pixels to add on either side, by axis letter. An axis at which `place` is a point
        gets a range around it, Y and X always.
    """
    index, region = dict(place.index), {}
    inner: list[tuple[int, int]] = []
    points: list[int] = []
    for letter, size in zip(axes, shape, strict=True):
        margin = context.get(letter, 0)
        if letter in index and letter in "YX":
            margin = max(margin, BREADTH)
        if letter not in "ZYX" or (letter in index and not margin):
            continue
        if letter in index:
            start = index.pop(letter)
            stop = start + 1
            points.append(len(inner))
        else:
            start, stop, _ = place.region.get(letter, slice(None)).indices(size)
        first, last = max(0, start - margin), min(size, stop + margin)
        region[letter] = slice(first, last)
        inner.append((start - first, stop - first))
    return ImagePart(ViewPlace(index, region), tuple(inner), tuple(points))


def cut_out(image: Image, place: ViewPlace) -> Image:
    """Read a part of an image."""
    pixels = np.asarray(image.data[place.indexer(image.axes)])
    kept = "".join(letter for letter in image.axes if letter not in place.index)
    size = {letter: image.pixel_size[letter] for letter in image.pixel_size if letter in kept}
    return Image(pixels, kept, size, image.name, fixed=image.fixed)


def time_in_place(values: NDArray[Any], axes: str) -> NDArray[Any]:
    """Put the time axis, which the engine has in front or leaves out, where the image has it."""
    letters = axes.replace("C", "")
    if "T" not in letters:
        return values
    if values.ndim < len(letters):  # a single frame
        values = values[np.newaxis]
    return np.moveaxis(values, 0, letters.index("T"))
