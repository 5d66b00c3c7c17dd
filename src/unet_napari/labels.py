"""What was painted: which ids, how much, whether one can train on it. No torch.

Labels may be any array that can be sliced (NumPy, memory-mapped, zarr, dask); they are read
block by block and nothing is allocated by the size of an id.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.measure import label as label_components

from unet_napari.annotated import annotated_mask, bounding_box, unpainted_rule
from unet_napari.errors import LabelsError
from unet_napari.sparse import boxes, painted_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.annotated import Rule, TaskName, Unpainted
    from unet_napari.images import LazyArray

__all__ = ["Painting", "annotated_mask", "check_labels", "split_components"]

# Images with more painted pixels in their bounding box are not searched for ids in several
# pieces: that needs all of them at once.
_SEARCHED_PIXELS = 2**24
_COUNTED_ID = 2**20  # ids up to this are counted in a table, others by sorting
_MOST_CLASSES = 1000
# A piece this small beside the largest one of its id is a slip of the brush, not a cell.
_SLIP_SHARE = 0.1


@dataclass(frozen=True)
class Painting:
    """What a labels array holds, as far as training is concerned.

    Attributes
    ----------
    task
        "cells" or "semantic".
    ndim
        Spatial axes of the network that learns from them.
    ids
        ``semantic``: the classes, ascending, with 0 only where it counts as background.
        ``cells``: the ids of the cells.
    counts
        Pixels of each id.
    painted_fraction
        Share of the pixels that are not 0.
    sparse
        Whether some pixels may say nothing.
    unpainted
        What 0 means: "ignore", "background" or, in cells, "nearby": background near cells.
    problem
        One sentence on something that is allowed but likely not meant; None if there is none.
    splittable
        Whether `split_components` would put the problem right.
    """

    task: TaskName
    ndim: int
    ids: tuple[int, ...]
    counts: tuple[int, ...]
    painted_fraction: float
    sparse: bool
    unpainted: Rule
    problem: str | None = None
    splittable: bool = False

    def describe(self) -> str:
        """Say in one line what was found, such as "2D, 3 classes, sparse, 4.1 % painted"."""
        noun = "class" if self.task == "semantic" else "cell"
        plural = "" if len(self.ids) == 1 else {"class": "es", "cell": "s"}[noun]
        parts = [f"{self.ndim}D", f"{len(self.ids):,} {noun}{plural}"]
        if self.sparse:
            parts.append("sparse")
        digits = 1 if self.painted_fraction >= 0.001 else 3
        parts.append(f"{100 * self.painted_fraction:.{digits}f} % painted")
        return ", ".join(parts)


def check_labels(
    labels: LazyArray,
    image_shape: Sequence[int],
    *,
    task: TaskName,
    unpainted: Unpainted = "auto",
    annotated: LazyArray | None = None,
    ndim: int | None = None,
) -> Painting:
    """Look at painted labels and refuse those that nothing can be learned from.

    Parameters
    ----------
    labels
        Whole numbers (bool, any integer, or float without fractions).
    image_shape
        Of the image's spatial axes (and time, where the labels have it).
    task
        "cells": each id is one cell. "semantic": each id is a class.
    unpainted
        What 0 means.
    annotated
        Nonzero inside regions that are annotated completely, of the labels' shape.
    ndim
        Spatial axes of the network; the axes in front are looped over, so that an id may
        stand for another cell in each slice or frame. None: as many as the labels have.

    Raises
    ------
    LabelsError
        With one sentence that names what is wrong and what to do.
    """
    _check_shape("labels have", labels, image_shape)
    if annotated is not None:
        _check_shape("annotated region has", annotated, image_shape)
    ndim = ndim or len(image_shape)
    tally = _tally(labels, annotated)
    size = math.prod(image_shape)
    background = size - sum(tally.painted.values())
    rule = unpainted_rule(task, unpainted, has_region=annotated is not None)
    painted = dict(sorted(tally.painted.items()))
    if not painted:
        raise LabelsError(_NOTHING[task])
    fraction = sum(painted.values()) / size
    if task == "semantic":
        zeros = background if rule == "background" else tally.zeros_in_region
        if zeros:
            painted = {0: zeros, **painted}
        _check_classes(painted)
        problem, splittable = None, False
    else:
        problem, splittable = _pieces(labels, tuple(painted), ndim)
    return Painting(
        task=task,
        ndim=ndim,
        ids=tuple(painted),
        counts=tuple(painted.values()),
        painted_fraction=fraction,
        sparse=rule != "background" and background > tally.zeros_in_region,
        unpainted=rule,
        problem=problem,
        splittable=splittable,
    )


_NOTHING = {
    "cells": "Nothing is painted yet: paint some cells, each with a label number of its own.",
    "semantic": "Nothing is painted yet: paint a few strokes of each class, each class with a "
    "label number of its own.",
}


def _check_shape(what: str, array: LazyArray, image_shape: Sequence[int]) -> None:
    shape, expected = tuple(array.shape), tuple(image_shape)
    if shape != expected:
        raise LabelsError(
            f"The {what} the shape {_x(shape)} but the image has {_x(expected)}: choose the "
            "labels that belong to this image."
        )


def _x(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)


def _check_classes(painted: dict[int, int]) -> None:
    if len(painted) == 1:
        raise LabelsError(
            f"Only class {next(iter(painted))} is painted: paint at least one other class, for "
            "example the background, or count unpainted pixels as background."
        )
    if len(painted) > _MOST_CLASSES:
        raise LabelsError(
            f"{len(painted):,} classes are painted, at most {_MOST_CLASSES:,} can be learned: "
            'if every number is one object, choose the task "cells".'
        )


@dataclass
class _Tally:
    painted: dict[int, int]  # pixels of each id but 0
    zeros_in_region: int


def _tally(labels: LazyArray, annotated: LazyArray | None) -> _Tally:
    """Count the pixels of each id, block by block."""
    painted: dict[int, int] = {}
    zeros = 0
    for box in boxes(labels):
        values, counts = _count(_whole_numbers(np.asarray(labels[box])))
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            if value:
                painted[value] = painted.get(value, 0) + count
    for box in () if annotated is None else boxes(annotated):
        inside, ids = np.asarray(annotated[box]) != 0, np.asarray(labels[box])  # type: ignore[index]
        zeros += int(np.count_nonzero(inside & (ids == 0)))
    return _Tally(painted, zeros)


def _count(ids: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Return the ids of a block and how often each occurs."""
    if ids.size == 0:
        return ids.ravel(), np.zeros(0, np.int64)
    if (lowest := ids.min()) < 0:
        raise LabelsError(
            f"The labels hold the negative number {lowest}: paint with numbers from 1 up."
        )
    if ids.max() > _COUNTED_ID:
        return np.unique(ids, return_counts=True)
    counts = np.bincount(ids.ravel())
    values = np.flatnonzero(counts)
    return values, counts[values]


def _whole_numbers(block: NDArray[Any]) -> NDArray[np.integer]:
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


def _pieces(labels: LazyArray, ids: Sequence[int], ndim: int) -> tuple[str | None, bool]:
    """Say which cells are in several pieces, and whether it looks like a mask."""
    most: dict[int, int] = {}
    for index in np.ndindex(*labels.shape[:-ndim]):
        for cell, number in _large_pieces(
            painted_part(labels, index, 4 * _SEARCHED_PIXELS)
        ).items():
            most[cell] = max(number, most.get(cell, 0))
    several = {cell: number for cell, number in sorted(most.items()) if number > 1}
    if not several:
        return None, False
    first, number = next(iter(several.items()))
    if len(ids) == 1:
        return (
            f"All that is painted has the number {first}, in {number} pieces, as in a mask; "
            "cells need a number each. Split it into one number for each piece.",
            True,
        )
    more = f" (and {len(several) - 1:,} more)" if len(several) > 1 else ""
    return f"Cell {first}{more} is in {number} pieces; they are kept as one cell.", False


def _large_pieces(labels: NDArray[Any]) -> dict[int, int]:
    """Count the pieces of each id of one image, slips of the brush aside."""
    painted = labels != 0
    if not painted.any():
        return {}
    ids = _whole_numbers(labels[bounding_box(painted)])
    if ids.size > _SEARCHED_PIXELS:
        return {}
    pieces = label_components(ids, background=0)  # type: ignore[no-untyped-call]
    areas = np.bincount(pieces.ravel())
    owners = np.zeros(areas.size, ids.dtype)
    owners[pieces.ravel()] = ids.ravel()
    cells, cell = np.unique(owners[1:], return_inverse=True)
    largest = np.zeros(cells.size, np.int64)
    np.maximum.at(largest, cell, areas[1:])
    large = areas[1:] >= _SLIP_SHARE * largest[cell]
    counts = np.bincount(cell, large).astype(int)
    return dict(zip(cells.tolist(), counts.tolist(), strict=True))


def split_components(labels: NDArray[Any]) -> NDArray[np.uint32]:
    """Give each connected piece of each id a number of its own, 1, 2, ...

    Turns a mask into cells that do not touch; pieces that meet at a corner are one.
    """
    ids = _whole_numbers(np.asarray(labels))
    pieces = label_components(ids, background=0)  # type: ignore[no-untyped-call]
    return np.asarray(pieces, np.uint32)
