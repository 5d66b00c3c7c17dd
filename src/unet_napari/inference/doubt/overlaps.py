"""How the objects of two segmentations of one image share pixels, block by block. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fate", "Overlaps"]

_LOW_BITS = np.uint64(2**32 - 1)
# Share of an object that a part of it has at least; less is a shift of its outline.
_PART_SHARE = 0.15
# Share of an object that has another one around it where both are one.
_MOST_SHARE = 0.5
# Share of an object that is left where it counts as gone.
_LEFT_SHARE = 0.3


class Fate(NamedTuple):
    """What becomes of each object in another segmentation; arrays of one entry for each id.

    Attributes
    ----------
    iou : float
        The largest intersection over union with any object.
    splits, joins, goes : bool
        Whether it falls into parts, becomes one with another object, or is not there any more.
    """

    iou: NDArray[np.floating]
    splits: NDArray[np.bool_]
    joins: NDArray[np.bool_]
    goes: NDArray[np.bool_]


class Overlaps:
    """Numbers of pixels that objects of a first and a second segmentation share."""

    def __init__(self) -> None:
        self._pairs: list[NDArray[np.uint64]] = []
        self._counts: list[NDArray[np.int64]] = []

    def add(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> None:
        """Add a block; the ids of both must lie below 2^32."""
        pairs = first.ravel().astype(np.uint64) << np.uint64(32) | second.ravel().astype(np.uint64)
        new = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]])[: pairs.size])
        lengths = np.diff(new, append=pairs.size)
        found, position = np.unique(pairs[new], return_inverse=True)
        self._pairs.append(found)
        self._counts.append(np.bincount(position.ravel(), lengths).astype(np.int64))

    def table(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
        """Return each pair of ids once, 0 included, with the number of pixels that they share."""
        pairs = np.concatenate([np.empty(0, np.uint64), *self._pairs])
        counts = np.concatenate([np.empty(0, np.int64), *self._counts])
        found, position = np.unique(pairs, return_inverse=True)
        shared = np.bincount(position.ravel(), counts, minlength=found.size).astype(np.int64)
        first, second = found >> np.uint64(32), found & _LOW_BITS
        return first.astype(np.intp), second.astype(np.intp), shared

    def fate(self, count: int) -> Fate:
        """Return what becomes of each object of the first segmentation, ids 0 to `count`."""
        first, second, shared = self.table()
        size = np.bincount(first, shared, minlength=count + 1)
        other = np.bincount(second, shared) if second.size else np.zeros(1)
        both = (first > 0) & (second > 0)
        first, second, shared = first[both], second[both], shared[both]
        iou = np.zeros(count + 1)
        np.maximum.at(iou, first, shared / (size[first] + other[second] - shared))
        # Parts lie mostly within the object, and are more than splinters of it.
        part = (shared > _MOST_SHARE * other[second]) & (shared > _PART_SHARE * size[first])
        splits = np.bincount(first[part], minlength=count + 1) > 1
        # Objects that lie mostly within one of the others, beside another one that does.
        within = (shared > _MOST_SHARE * size[first]) & (shared > _PART_SHARE * other[second])
        crowded = np.bincount(second[within], minlength=other.size) > 1
        joins = np.zeros(count + 1, bool)
        joins[first[within & crowded[second]]] = True
        held = np.bincount(first, shared, minlength=count + 1)
        return Fate(iou, splits, joins, held < _LEFT_SHARE * size)
