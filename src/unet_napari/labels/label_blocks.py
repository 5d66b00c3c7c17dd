"""Counting in labels of any size, block by block. No torch.

No table is as long as the largest id, and no more than one block at a time is read of an array
that is not in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import LabelsError
from unet_napari.geometry import Box, bounding_box
from unet_napari.labels.sparse import boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import LazyArray

__all__ = [
    "Tally",
    "count_ids",
    "number_ids",
    "painted_box",
    "refuse_negative",
    "tally",
    "whole_numbers",
]

# Largest id that is counted in a table; larger ones are counted by sorting.
_COUNTED_ID = 2**20


@dataclass(frozen=True)
class Tally:
    """The number of pixels of each id.

    Attributes
    ----------
    painted
        Number of pixels of each id but 0.
    zeros_in_region
        Number of pixels of 0 inside regions that are annotated completely.
    """

    painted: dict[int, int]
    zeros_in_region: int


def tally(labels: LazyArray, annotated: LazyArray | None = None) -> Tally:
    """Count the pixels of each id.

    Parameters
    ----------
    labels
        Whole numbers from 0 up.
    annotated
        Nonzero inside regions that are annotated completely, of the same shape.

    Raises
    ------
    LabelsError
        For a value that is no label number.
    """
    painted: dict[int, int] = {}
    zeros = 0
    for box in boxes(labels):
        values, counts = count_ids(whole_numbers(np.asarray(labels[box.to_slices()])))
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            if value:
                painted[value] = painted.get(value, 0) + count
    for box in () if annotated is None else boxes(annotated):
        index = box.to_slices()
        inside, ids = np.asarray(annotated[index]) != 0, np.asarray(labels[index])  # type: ignore[index]
        zeros += int(np.count_nonzero(inside & (ids == 0)))
    return Tally(painted, zeros)


def painted_box(arrays: Sequence[LazyArray], index: tuple[int, ...] = ()) -> Box | None:
    """Return the smallest box around what is not 0 in any of some arrays; None if all are 0.

    Parameters
    ----------
    arrays
        Arrays of one shape.
    index
        Positions on the leading axes. Only these are looked at, and the box has the other axes.
    """
    found = []
    for data, box in ((array, box) for array in arrays for box in boxes(array, index)):
        painted = bounding_box(np.asarray(data[(*index, *box.to_slices())]) != 0)
        if painted is not None:
            found.append(painted.absolute_in(box))
    return Box.around(found) if found else None


def whole_numbers(block: NDArray[Any]) -> NDArray[np.integer]:
    """Return labels as integers.

    Raises
    ------
    LabelsError
        For fractions, NaN, and values that are no numbers.
    """
    if block.dtype.kind == "b":
        return block.astype(np.uint8)
    if block.dtype.kind in "iu":
        return block
    if block.dtype.kind != "f":
        raise LabelsError(f"Labels must be whole numbers, not {block.dtype}.")
    odd = block[~np.isfinite(block) | (block != np.floor(block)) | (np.abs(block) > 2**53)]
    if odd.size:
        raise LabelsError(
            f"The labels hold {odd[0]:g}, which is no label number: choose a labels layer or a "
            "mask, not an image or a probability map."
        )
    return block.astype(np.int64)


def count_ids(ids: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Return the ids of a block, ascending, and how often each occurs.

    Raises
    ------
    LabelsError
        For negative numbers.
    """
    if ids.size == 0:
        return ids.ravel(), np.zeros(0, np.int64)
    refuse_negative(ids)
    if ids.max() > _COUNTED_ID:
        return np.unique(ids, return_counts=True)
    # numpy 2.0 does not take uint64 for numbers that it can count.
    counts = np.bincount(ids.ravel().astype(np.intp, copy=False))
    values = np.flatnonzero(counts)
    return values, counts[values]


def refuse_negative(ids: NDArray[np.integer]) -> None:
    """Raise `LabelsError` if there are negative numbers in a block, which is not empty."""
    if (lowest := ids.min()) < 0:
        raise LabelsError(
            f"The labels hold the negative number {lowest}: paint with numbers from 1 up."
        )


def number_ids(ids: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Give the ids of a block numbers from 0, as ``numpy.unique`` does, but without sorting.

    Returns
    -------
    values : ndarray of int
        The ids that occur, ascending.
    numbers : ndarray of int32, shape of `ids`
        For each pixel the position of its id among the values.
    """
    if ids.size == 0 or ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() > _COUNTED_ID:
        values, numbers = np.unique(ids, return_inverse=True)
        return values, numbers.reshape(ids.shape).astype(np.int32)
    used = np.bincount(ids.ravel().astype(np.intp, copy=False)) > 0
    return np.flatnonzero(used), (np.cumsum(used, dtype=np.int32) - 1)[ids]
