"""Outlines drawn in planes of an image, and what they enclose. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.geometry import Box
from unet_napari.labels.sparse import SparseArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Outline", "fill"]


@dataclass(frozen=True)
class Outline:
    """An outline in a plane of two of an image's axes.

    Attributes
    ----------
    plane : tuple of (int, int)
        The axes that it is drawn along.
    outline : ndarray of float
        Points of the outline on the image's grid, shape (points, 2).
    index : tuple of int or None
        Its position along every other axis, in order; None along an axis on all of which it counts.
    """

    plane: tuple[int, int]
    outline: NDArray[np.floating]
    index: tuple[int | None, ...]

    def inside(self, shape: Sequence[int]) -> tuple[Box, NDArray[np.bool_]]:
        """Return what it encloses of an image of a shape.

        Returns
        -------
        box : Box
            A box along all axes of the image; perhaps empty.
        mask : ndarray of bool
            What is inside of the outline in the box, along the two axes of the plane.
        """
        from skimage.draw import polygon2mask  # loads SciPy

        spans = [(0, size) for size in shape]
        for axis, points in zip(self.plane, self.outline.T, strict=True):
            low, high = np.floor(points.min()), np.ceil(points.max()) + 1
            start = int(np.clip(low, 0, shape[axis]))
            spans[axis] = (start, int(np.clip(high, start, shape[axis])))
        others = [axis for axis in range(len(shape)) if axis not in self.plane]
        for axis, at in zip(others, self.index, strict=True):
            if at is not None:
                start = min(max(0, at), shape[axis])
                spans[axis] = (start, max(start, min(shape[axis], at + 1)))
        box = Box.from_spans(spans)
        corner = [box.start[axis] for axis in self.plane]
        sides = [box.shape[axis] for axis in self.plane]
        if 0 in sides:
            return box, np.zeros(sides, bool)
        mask: NDArray[np.bool_] = polygon2mask(sides, self.outline - corner)  # type: ignore[no-untyped-call]
        return box, mask


def fill(regions: Iterable[Outline], shape: Sequence[int]) -> SparseArray:
    """Return what outlines enclose of an image, as bool."""
    mask = SparseArray(shape, bool)
    for region in regions:
        box, inside = region.inside(shape)
        others = [axis for axis in range(len(shape)) if axis not in region.plane]
        for key in np.ndindex(*(box.shape[axis] for axis in others)):
            place = box
            for axis, i in zip(others, key, strict=True):
                place = place.replace_axis(axis, box.start[axis] + i, box.start[axis] + i + 1)
            mask.put(place, np.expand_dims(inside, tuple(others)), add=True)
    return mask
