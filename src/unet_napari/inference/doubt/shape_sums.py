"""Sums over the pixels of each object, added up block by block. No torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unet_napari.geometry import Box

__all__ = ["ShapeSums"]

# How far a foreground of so many 255ths is from being sure: 1 at one half, 0 at 0 and at 255.
_DOUBT_TABLE = 1 - np.abs(2 * np.arange(256) / 255 - 1)
# Variance along each axis of what lies within one pixel.
_WITHIN_PIXEL = 1 / 12


class ShapeSums:
    """What is known of the objects of one view: their sizes, shapes and maps.

    Memory grows with the number of objects alone.

    Parameters
    ----------
    count
        The highest id.
    shape
        Shape of the view.
    """

    def __init__(self, count: int, shape: Sequence[int]) -> None:
        self._shape, self._ndim = tuple(shape), len(shape)
        axes = range(self._ndim)
        self._products = [(a, b) for a in axes for b in axes if a <= b]
        rows = 1 + self._ndim + len(self._products) + 3
        self._sums = np.zeros((rows, count + 1))
        self._depth = np.full(count + 1, -1, np.int32)
        self._deepest = np.zeros(count + 1, np.int64)

    def add(
        self,
        box: Box,
        ids: NDArray[np.uint32],
        maps: NDArray[np.uint8],
        painted: NDArray[np.bool_] | None,
    ) -> None:
        """Add a block.

        Parameters
        ----------
        box
            Place of the block in the view.
        ids
            The objects, ``box.shape``.
        maps
            Packed foreground, boundary and distance, ``(3, *box.shape)``.
        painted
            Mask of what is painted, ``box.shape``.
        """
        at = np.flatnonzero(ids)
        if not at.size:
            return
        numbers = ids.ravel()[at].astype(np.intp)
        low, high = int(numbers.min()), int(numbers.max()) + 1
        local = numbers - low

        def total(weights: NDArray[np.floating] | None = None) -> NDArray[np.floating]:
            return np.bincount(local, weights, minlength=high - low).astype(float)

        inside = np.unravel_index(at, ids.shape)
        where = [places + start for places, start in zip(inside, box.start, strict=True)]
        foreground = maps[0].ravel()[at]
        at_border = np.zeros(at.size, bool)
        for places, size in zip(where, self._shape, strict=True):
            if size > 1:
                at_border |= (places == 0) | (places == size - 1)
        known = np.zeros(at.size) if painted is None else painted.ravel()[at].astype(float)
        rows = [total(), *(total(places.astype(float)) for places in where)]
        rows += [total(where[a].astype(float) * where[b]) for a, b in self._products]
        rows += [total(_DOUBT_TABLE[foreground]), total(at_border.astype(float)), total(known)]
        self._sums[:, low:high] += rows
        self._note_deepest(numbers, foreground.astype(np.int32) * maps[2].ravel()[at], where)

    def _note_deepest(
        self, numbers: NDArray[np.intp], depth: NDArray[np.int32], where: list[NDArray[np.intp]]
    ) -> None:
        """Note the first pixel of each object at which the product of two maps is highest."""
        before = self._depth[numbers]
        np.maximum.at(self._depth, numbers, depth)
        new = np.flatnonzero((depth == self._depth[numbers]) & (depth > before))[::-1]
        flat = np.ravel_multi_index([places[new] for places in where], self._shape)
        self._deepest[numbers[new]] = flat

    @property
    def size(self) -> NDArray[np.floating]:
        """Number of pixels of each object, from id 0 on."""
        return np.asarray(self._sums[0])

    @property
    def unsure(self) -> NDArray[np.floating]:
        """Mean over the pixels of each object of how near the foreground is to one half."""
        return self._mean(self._sums[-3])

    @property
    def at_border(self) -> NDArray[np.bool_]:
        """Whether each object touches the edge of the image, so that a part of it may be beyond."""
        return np.asarray(self._sums[-2] > 0)

    @property
    def painted(self) -> NDArray[np.floating]:
        """Share of the pixels of each object on which something is painted."""
        return self._mean(self._sums[-1])

    @property
    def depth(self) -> NDArray[np.floating]:
        """Highest product of foreground and distance in each object, 0 to 1."""
        return np.maximum(self._depth, 0) / 255**2

    @property
    def centre(self) -> NDArray[np.floating]:
        """Mean position of the pixels of each object, ``(count + 1, D)``."""
        return np.stack([self._mean(row) for row in self._sums[1 : 1 + self._ndim]], axis=1)

    @property
    def deepest(self) -> NDArray[np.intp]:
        """A pixel deep inside each object, ``(count + 1, D)``."""
        return np.stack(np.unravel_index(self._deepest, self._shape), axis=1)

    @property
    def fill(self) -> NDArray[np.floating]:
        """Size of each object over that of the ellipse, or ellipsoid, with the same moments.

        It is 1 for an ellipse of any direction and pixel size, and less for a dumbbell, a crescent
        or a star, because such shapes reach far out for their size.
        """
        axes = [axis for axis, size in enumerate(self._shape) if size > 1]
        if not axes:
            return np.ones_like(self.size)
        centre, ndim = self.centre, len(axes)
        moments = np.zeros((self.size.size, ndim, ndim))
        rows = self._sums[1 + self._ndim : -3]
        for (a, b), row in zip(self._products, rows, strict=True):
            if a in axes and b in axes:
                value = self._mean(row) - centre[:, a] * centre[:, b] + (a == b) * _WITHIN_PIXEL
                i, j = axes.index(a), axes.index(b)
                moments[:, i, j] = moments[:, j, i] = value
        ball = math.pi ** (ndim / 2) / math.gamma(ndim / 2 + 1)
        spread = np.sqrt(np.maximum(np.linalg.det(moments), 1e-12))
        return np.asarray(self.size / (ball * (ndim + 2) ** (ndim / 2) * spread))

    def _mean(self, sums: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(sums / np.maximum(self._sums[0], 1))
