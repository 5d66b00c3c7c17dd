"""What was painted: which ids, how much, whether one can train on it. No torch.

Labels may be any array that can be sliced (NumPy, memory-mapped, zarr, dask); they are read
block by block and nothing is allocated by the size of an id.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import ndimage
from skimage.measure import label as label_components

from unet_napari.errors import LabelsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import LazyArray

    TaskName = Literal["cells", "semantic"]
    Unpainted = Literal["auto", "ignore", "background"]

__all__ = ["Painting", "annotated_mask", "check_labels", "split_components"]

_BLOCK_PIXELS = 2**24
# Labels with more pixels are not searched for ids in several pieces: that needs all at once.
_SEARCHED_PIXELS = 2**26
_MOST_CLASSES = 1000
# The ring around painted cells that counts as background: of a cell's diameter, and in pixels.
_RING_SHARE = 0.2
_RING_PIXELS = 3.0
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
        Axes of the labels.
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
    unpainted: Literal["ignore", "background", "nearby"]
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

    Raises
    ------
    LabelsError
        With one sentence that names what is wrong and what to do.
    """
    _check_shape("labels have", labels, image_shape)
    if annotated is not None:
        _check_shape("annotated region has", annotated, image_shape)
    tally = _tally(labels, annotated)
    size = math.prod(image_shape)
    background = size - sum(tally.painted.values())
    rule = _rule(task, unpainted, has_region=annotated is not None)
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
        problem, splittable = _pieces(labels, painted)
    return Painting(
        task=task,
        ndim=len(image_shape),
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


def _rule(
    task: TaskName, unpainted: Unpainted, *, has_region: bool
) -> Literal["ignore", "background", "nearby"]:
    """Decide what 0 means."""
    if unpainted == "background":
        return "background"
    if task == "semantic":
        return "ignore"
    if unpainted == "auto":
        return "nearby"
    if not has_region:
        raise LabelsError(
            "With unpainted pixels ignored, nothing says where cells end: mark a fully annotated "
            'region, or set unpainted pixels to "auto" or "background".'
        )
    return "ignore"


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
    for block in _blocks(labels.shape):
        ids = _whole_numbers(np.asarray(labels[block]))
        values, counts = np.unique(ids, return_counts=True)
        if values.size and values[0] < 0:
            raise LabelsError(
                f"The labels hold the negative number {values[0]}: paint with numbers from 1 up."
            )
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            if value:
                painted[value] = painted.get(value, 0) + count
        if annotated is not None:
            zeros += int(np.count_nonzero((np.asarray(annotated[block]) != 0) & (ids == 0)))
    return _Tally(painted, zeros)


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


def _blocks(shape: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Cover an array by slabs of bounded size, along as many axes as that takes."""
    if math.prod(shape) <= _BLOCK_PIXELS:
        yield (slice(None),) * len(shape)
        return
    inner = math.prod(shape[1:])
    step = max(1, _BLOCK_PIXELS // inner)
    for start in range(0, shape[0], step):
        slab = slice(start, min(start + step, shape[0]))
        if inner <= _BLOCK_PIXELS:
            yield (slab, *(slice(None) for _ in shape[1:]))
        else:
            for rest in _blocks(shape[1:]):
                yield (slab, *rest)


def _pieces(labels: LazyArray, painted: dict[int, int]) -> tuple[str | None, bool]:
    """Say which cells are in several pieces, and whether it looks like a mask."""
    if math.prod(labels.shape) > _SEARCHED_PIXELS:
        return None, False
    ids = _whole_numbers(np.asarray(labels[...]))
    owners, areas = _components(ids)
    largest: dict[int, int] = {}
    for owner, area in zip(owners.tolist(), areas.tolist(), strict=True):
        largest[owner] = max(area, largest.get(owner, 0))
    count = dict.fromkeys(largest, 0)
    for owner, area in zip(owners.tolist(), areas.tolist(), strict=True):
        count[owner] += area >= _SLIP_SHARE * largest[owner]
    several = {i: n for i, n in count.items() if n > 1}
    if not several:
        return None, False
    first, number = next(iter(several.items()))
    if len(painted) == 1:
        return (
            f"All that is painted has the number {first}, in {number} pieces: as a mask has it, "
            "where cells need a number each. Split it into one number for each piece.",
            True,
        )
    more = f" (and {len(several) - 1} more)" if len(several) > 1 else ""
    return f"Cell {first}{more} is in {number} pieces; they are kept as one cell.", False


def _components(
    ids: NDArray[np.integer],
) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Return the id and the area of each connected component of equal id."""
    pieces = label_components(ids, background=0)  # type: ignore[no-untyped-call]
    areas = np.bincount(pieces.ravel())
    owners = np.zeros(areas.size, ids.dtype)
    owners[pieces.ravel()] = ids.ravel()
    return owners[1:], areas[1:]


def split_components(labels: NDArray[Any]) -> NDArray[np.uint32]:
    """Give each connected piece of each id a number of its own, 1, 2, ...

    Turns a mask into cells that do not touch; pieces that meet at a corner are one.
    """
    ids = _whole_numbers(np.asarray(labels))
    pieces = label_components(ids, background=0)  # type: ignore[no-untyped-call]
    return np.asarray(pieces, np.uint32)


def annotated_mask(
    labels: NDArray[Any],
    *,
    task: TaskName,
    unpainted: Unpainted = "auto",
    annotated: NDArray[Any] | None = None,
    spacing: Sequence[float] | None = None,
) -> NDArray[np.bool_]:
    """Mark the pixels that say something: painted ones, and 0 as far as it is background.

    Parameters
    ----------
    labels
        Painted labels ``(*S)`` in memory, with as many axes as the network: the slices of a
        stack one by one for a 2D network.
    task, unpainted
        As in `check_labels`.
    annotated
        Nonzero inside regions that are annotated completely; always added.
    spacing
        Pixel size along each axis, in any unit; None: equal along all.

    Raises
    ------
    LabelsError
        For cells with ``unpainted="ignore"`` and no annotated region.
    """
    rule = _rule(task, unpainted, has_region=annotated is not None)
    if rule == "background":
        return np.ones(labels.shape, bool)
    mask: NDArray[np.bool_] = np.asarray(labels != 0)
    if rule == "nearby" and mask.any():
        mask = _nearby(labels, spacing or (1.0,) * labels.ndim)
    return mask if annotated is None else mask | (np.asarray(annotated) != 0)


def _nearby(labels: NDArray[Any], spacing: Sequence[float]) -> NDArray[np.bool_]:
    """Painted cells, the gaps between them too narrow for another cell, and a thin ring.

    The gaps are those that a closing by half a cell's diameter fills: where a ball as large as
    a cell does not fit, nobody forgot to paint one.
    """
    sizes = np.asarray(spacing, float) / min(spacing)
    counts = np.unique(labels[labels != 0], return_counts=True)[1]
    diameter = _diameter(float(np.median(counts)) * sizes.prod(), labels.ndim)
    ring = max(_RING_PIXELS, _RING_SHARE * diameter)
    # Nothing changes farther from the painted pixels than this.
    box = _bounding_box(labels != 0, np.ceil((diameter + ring) / sizes).astype(int) + 1)
    painted = labels[box] != 0
    grown = _distance(painted, sizes) <= diameter / 2
    closed = painted | (_distance(~grown, sizes) > diameter / 2)
    near = _distance(closed, sizes) <= ring
    # Of a stack of which single slices are painted, the slices between say nothing.
    near &= painted.any(axis=tuple(range(1, labels.ndim)), keepdims=True)
    result = np.zeros(labels.shape, bool)
    result[box] = near
    return result


def _diameter(volume: float, ndim: int) -> float:
    """Diameter of the ball (or disc) of this volume (or area)."""
    unit_ball = math.pi ** (ndim / 2) / math.gamma(ndim / 2 + 1)
    return 2 * float((volume / unit_ball) ** (1 / ndim))


def _bounding_box(mask: NDArray[np.bool_], margin: NDArray[np.int64]) -> tuple[slice, ...]:
    box = []
    for axis, extra in enumerate(margin):
        others = tuple(i for i in range(mask.ndim) if i != axis)
        used = np.flatnonzero(mask.any(axis=others))
        box.append(slice(max(0, int(used[0] - extra)), int(used[-1] + extra + 1)))
    return tuple(box)


def _distance(mask: NDArray[np.bool_], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each pixel to the mask; infinite where the mask is empty."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=sizes))
