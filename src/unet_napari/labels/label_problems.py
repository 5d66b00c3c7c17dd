"""Mistakes that are allowed in painted cells but likely not meant. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.labels.label_blocks import count_ids, painted_box, whole_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import LazyArray

__all__ = ["find_problem", "split_components"]

# Images with more painted pixels in their bounding box are not searched for ids in several
# pieces: that needs all of them at once.
_SEARCHED_PIXELS = 2**24
# A piece this small beside the largest one of its id is a slip of the brush, not a cell.
_SLIP_SHARE = 0.1
# A label that covers more of the image than this is hardly one cell among others.
_BACKGROUND_SHARE = 0.5
# Share of the cells that may be thin slivers without a word about it.
_SLIVER_SHARE = 0.05
# Up to so many ids, each of them in several pieces, are kinds of pixels rather than cells.
_MOST_KINDS = 4


def find_problem(
    labels: LazyArray,
    counts: Mapping[int, int],
    ndim: int,
    *,
    complete: bool,
    spacing: Sequence[float] | None = None,
) -> tuple[str | None, bool]:
    """Look for likely mistakes: a painted background, a mask, cells that cannot be told apart.

    Parameters
    ----------
    labels
        Labels of cells, as `check_labels` takes them.
    counts
        Number of pixels of each painted id.
    ndim
        Number of spatial axes of the network. The slices and frames along the leading axes are
        looked at one by one, as an id may stand for another cell in each of them.
    complete
        Whether every 0 is background.
    spacing
        Pixel size along each axis of the network, in any unit; by default equal along all.

    Returns
    -------
    problem : str or None
        One sentence on the gravest mistake; None if there seems to be none.
    splittable : bool
        Whether `split_components` would put it right.
    """
    largest = max(counts, key=lambda number: counts[number])
    share = counts[largest] / np.prod(labels.shape)
    found = _Found()
    for index in np.ndindex(*labels.shape[:-ndim]):
        ids = _painted_part(labels, index)
        if ids is not None:
            found.add_pieces(ids)
            found.add_thin(ids, spacing or (1.0,) * ndim, complete=complete or ndim == 2)
            if share > _BACKGROUND_SHARE:
                found.add_neighbours(ids, largest)
    if share > _BACKGROUND_SHARE:
        background = found.background(largest, share, counts.keys() - {largest})
        if background is not None:
            return background, False
    pieces, splittable = found.pieces(tuple(counts))
    return (None if splittable else found.thin(len(counts))) or pieces, splittable


class _Found:
    """Facts about the ids of some labels, gathered frame by frame."""

    def __init__(self) -> None:
        # For each id, the largest number of pieces that it has in a frame, the number of frames it
        # occurs in, and of those in which it has several pieces.
        self._most_pieces: dict[int, int] = {}
        self._frames: Counter[int] = Counter()
        self._several: Counter[int] = Counter()
        self._beside: set[int] = set()  # ids that touch the largest cell
        self._spots = 0  # connected parts of 0, in all frames
        self._thin: set[int] = set()  # ids of cells that are too thin to be told apart

    def add_pieces(self, ids: NDArray[np.integer]) -> None:
        """Count the pieces of each id in one frame."""
        for cell, number in _large_pieces(ids).items():
            self._most_pieces[cell] = max(number, self._most_pieces.get(cell, 0))
            self._frames[cell] += 1
            self._several[cell] += number > 1

    def add_neighbours(self, ids: NDArray[np.integer], largest: int) -> None:
        """Note which ids touch the largest cell in one frame, and count the spots of 0."""
        for axis in range(ids.ndim):
            a, b = _neighbours(ids, axis)
            for here, there in ((a, b), (b, a)):
                self._beside.update(np.unique(there[here == largest]).tolist())
        self._spots += int(_components(ids == 0, connectivity=1).max())

    def add_thin(
        self, ids: NDArray[np.integer], spacing: Sequence[float], *, complete: bool
    ) -> None:
        """Note which cells of one frame are too thin, see `_thin_cells`."""
        self._thin |= _thin_cells(ids, spacing, complete=complete)

    def background(self, largest: int, share: float, others: set[int]) -> str | None:
        """Return a sentence if the largest cell looks like the background."""
        covers = f"Cell {largest} covers {share:.0%} of the image"
        covers = covers.replace("%", " %")
        if others and others <= self._beside:
            return (
                f"{covers} and touches all others: is it the background? The background has the "
                "number 0."
            )
        if not others and self._spots > 1 and self._most_pieces.get(largest, 1) == 1:
            return (
                f"{covers} around {self._spots} spots that are not painted: is the mask the wrong "
                "way round? Cells have numbers, the background has 0."
            )
        return None

    def pieces(self, ids: Sequence[int]) -> tuple[str | None, bool]:
        """Return a sentence on cells in several pieces, and whether splitting them would help."""
        several = {
            cell: number
            for cell, number in sorted(self._most_pieces.items())
            # The section of a bent cell may be in several pieces in some slices of a stack.
            if number > 1 and 2 * self._several[cell] > self._frames[cell]
        }
        if not several:
            return None, False
        first, number = next(iter(several.items()))
        if len(ids) == 1:
            return (
                f"All that is painted has the number {first}, in {number} pieces, as in a mask; "
                "cells need a number each. Split it into one number for each piece.",
                True,
            )
        if len(several) == len(ids) <= _MOST_KINDS and set(ids) == set(range(1, len(ids) + 1)):
            return (
                f"Each of the {len(ids)} numbers is in several pieces: if they are kinds of "
                "pixels, such as background and cell, learn classes of pixels; cells need a number "
                "each.",
                False,
            )
        more = f" (and {len(several) - 1:,} more)" if len(several) > 1 else ""
        return f"Cell {first}{more} is in {number} pieces; they are kept as one cell.", False

    def thin(self, cells: int) -> str | None:
        """Return a sentence on cells that cannot be told apart, if more than a few slivers are."""
        if len(self._thin) <= _SLIVER_SHARE * cells:
            return None
        first, *rest = sorted(self._thin)
        return (
            f"Cell {first} and {len(rest):,} more are only one or two pixels thick and touch each "
            "other: such cells come out as one. Leave a pixel of background between them, or use "
            "an image of finer pixels."
        )


def _painted_part(labels: LazyArray, index: tuple[int, ...]) -> NDArray[np.integer] | None:
    """Read the painted box of a frame with a pixel around it; None if it is empty or too large."""
    box = painted_box([labels], index)
    if box is None:
        return None
    box = box.grow(1).clip(labels.shape[len(index) :])
    if box.size > _SEARCHED_PIXELS:
        return None
    return whole_numbers(np.asarray(labels[(*index, *box.to_slices())]))


def _large_pieces(ids: NDArray[np.integer]) -> dict[int, int]:
    """Count the pieces of each id in one frame, without slips of the brush."""
    if ids.ndim == 3:
        # Slices between painted ones may be left out by the user, and make no two pieces of a cell.
        ids = ids[ids.any(axis=(1, 2))]
    pieces = _components(ids, background=0)
    areas = np.bincount(pieces.ravel())
    owners = np.zeros(areas.size, ids.dtype)
    owners[pieces.ravel()] = ids.ravel()
    cells, cell = np.unique(owners[1:], return_inverse=True)
    largest = np.zeros(cells.size, np.int64)
    np.maximum.at(largest, cell, areas[1:])
    large = areas[1:] >= _SLIP_SHARE * largest[cell]
    counts = np.bincount(cell, large).astype(int)
    return dict(zip(cells.tolist(), counts.tolist(), strict=True))


def _thin_cells(ids: NDArray[np.integer], spacing: Sequence[float], *, complete: bool) -> set[int]:
    """Return the cells that touch another one while neither has a pixel off its own edge.

    Such cells have no middle that the distance map could show, see `relative_depth`. With
    `complete`, a cell also ends at every 0. Without it, a 0 may lie in a slice that nobody painted.
    """
    middle = ids != 0
    touching = []
    for axis, size in enumerate(spacing):
        here, there = _neighbours(ids, axis)
        touch = (here != there) & (here != 0) & (there != 0)
        touching.append((here[touch], there[touch]))
        ends = (here != there) if complete and size <= min(spacing) else touch
        for side in _neighbours(middle, axis):
            side &= ~ends
    pairs = np.concatenate([np.stack(pair) for pair in touching], axis=1)
    if not pairs.size:
        return set()
    thick = count_ids(ids[middle])[0]
    both = ~np.isin(pairs, thick).any(axis=0)
    return set(np.unique(pairs[:, both]).tolist())


def _neighbours(array: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return views of all pixels but the last along an axis, and of the pixels after them."""
    along = np.moveaxis(array, axis, 0)
    return along[:-1], along[1:]


def split_components(labels: NDArray[Any], ndim: int | None = None) -> NDArray[np.uint32]:
    """Give each connected piece of each id a number of its own, 1, 2, ...

    Turns a mask into cells that do not touch; pieces that meet at a corner are one.

    Parameters
    ----------
    labels
        Ids of any shape.
    ndim
        Number of axes along which pieces are connected, which are the last ones. Each position on
        the other axes is split by itself. By default all axes are, but at most three.
    """
    ids = whole_numbers(np.asarray(labels))
    leading = ids.ndim - min(ndim or 3, ids.ndim)
    pieces = np.zeros(ids.shape, np.uint32)
    count = 0
    for index in np.ndindex(*ids.shape[:leading]):
        part = np.asarray(_components(ids[index], background=0), np.uint32)
        pieces[index] = part + np.uint32(count) * (part > 0)
        count += int(part.max(initial=0))
    return pieces


def _components(ids: NDArray[Any], **options: int) -> NDArray[np.integer]:
    """Give each connected piece of an id a number, as ``skimage.measure.label`` does."""
    from skimage.measure import label  # loads SciPy, half a second that the window would wait for

    components: NDArray[np.integer] = label(ids, **options)  # type: ignore[no-untyped-call]
    return components
