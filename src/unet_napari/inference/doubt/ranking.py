"""From the kept maps of a segmentation to the objects that are most to be doubted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from unet_napari.geometry import Box
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject, DoubtSummary
from unet_napari.inference.doubt.measure import SizeReference, doubts, reasons, signs_of
from unet_napari.inference.doubt.missed_cells import missed_cells
from unet_napari.inference.doubt.painted_cells import PaintedCells
from unet_napari.inference.doubt.view_facts import LabelStore, Settled, ViewFacts
from unet_napari.inference.progress import Progress
from unet_napari.inference.storage.scratch import Room
from unet_napari.system.memory import free_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from unet_napari.images import LazyArray
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.tasks import Task

__all__ = [
    "MOST",
    "doubt_steps",
    "doubt_summary_steps",
    "drained",
    "generous_thresholds",
    "other_thresholds",
]

_Found = TypeVar("_Found")  # a ranking, or a summary

MOST = 500
"""Number of objects of a ranking, by default: more than anybody looks at."""
# An object of which so much is painted, or rejected by background paint, is settled.
_SETTLED_SHARE = 0.5
# How far thresholds are moved, and between what, to see which objects depend on them.
_SHIFT, _LEAST, _LARGEST = 0.2, 0.1, 0.9
_WEAK_BOUNDARY = 0.4
_SHARE_OF_FREE = 0.25
_STAGE = "looking for doubtful cells"


def other_thresholds(task: Task) -> list[Task]:
    """Return the task with thresholds that might as well have been chosen."""
    moved: list[dict[str, float]] = []
    for name in ("foreground_threshold", "seed_threshold"):
        value = getattr(task, name)
        for shift in (-_SHIFT, _SHIFT):
            moved.append({name: min(max(value + shift, _LEAST), _LARGEST)})
    boundary = getattr(task, "boundary_threshold")  # noqa: B009  of a task of cells
    moved.append({"boundary_threshold": 0.0 if boundary > 0 else _WEAK_BOUNDARY})
    return [replace(task, **values) for values in moved]


def generous_thresholds(task: Task) -> Task:
    """Return the task with thresholds that find more, and dimmer, objects."""
    names = ("foreground_threshold", "seed_threshold")
    return replace(task, **{n: max(getattr(task, n) - _SHIFT, _LEAST) for n in names})


def doubt_steps(
    kept: KeptMaps,
    task: Task,
    *,
    memory: int | None = None,
    painted: LazyArray | None = None,
    background: int | None = None,
    most: int = MOST,
    look_for_missed: bool = True,
    within: Box | None = None,
) -> Generator[Progress, None, list[DoubtfulObject]]:
    """Rank the objects of a segmentation by doubt, step by step; stop by no longer asking.

    The maps are decoded with some other thresholds too: what changes with them is uncertain. All
    of it is done block by block, so memory does not grow with the image.

    Parameters
    ----------
    kept : KeptMaps
        The maps of a segmentation that has come to its end.
    task : Task
        A task of cells, with the thresholds that the labels have been made with.
    memory : int, optional
        Bytes that it may take, by default a quarter of what is free; labels that need more are
        kept on disk.
    painted : array of int, optional
        What is painted, in the shape of the result ``([T,] *S)``. Objects that are mostly painted
        are settled and left out; painted cells that are predicted otherwise are listed.
    background : int, optional
        The painted number that means background.
    most : int
        Number of objects to return.
    look_for_missed : bool
        Whether what may be an object that was not found is listed, too.
    within : Box, optional
        A part of the result: objects that have no pixel in it are left out.

    Yields
    ------
    Progress

    Returns
    -------
    list of DoubtfulObject
        The most doubtful first.

    Raises
    ------
    ResourceError
        If the disk has no room.
    """
    settled = None if painted is None else Settled(painted, background)
    missed = most if look_for_missed else 0
    found = yield from _steps(kept, task, memory, settled, missed, lambda r: r.ranked(most, within))
    return found


def doubt_summary_steps(
    kept: KeptMaps, task: Task, *, memory: int | None = None
) -> Generator[Progress, None, DoubtSummary]:
    """Sum up the doubt in the objects of a segmentation, step by step.

    Parameters
    ----------
    kept, task, memory
        As for `doubt_steps`, whose errors it raises.

    Yields
    ------
    Progress

    Returns
    -------
    DoubtSummary
    """
    return (yield from _steps(kept, task, memory, None, 0, lambda r: r.summary()))


def _steps(
    kept: KeptMaps,
    task: Task,
    memory: int | None,
    settled: Settled | None,
    missed: int,
    result: Callable[[_Ranking], _Found],
) -> Generator[Progress, None, _Found]:
    """Gather what is known of the objects and of `missed` ones; return what follows from it."""
    if memory is None:
        memory = int(free_memory() * _SHARE_OF_FREE)
    total = 3 + len(other_thresholds(task))
    with Room(memory // 2) as room:
        ranking = _Ranking(kept, LabelStore(room, kept.result_shape, kept.leading), settled)
        other = LabelStore(room, kept.result_shape, kept.leading)
        for number in ranking.steps(task, other, memory // 2, missed):
            yield Progress(number, total, _STAGE)
        found = result(ranking)
    yield Progress(total, total, _STAGE)
    return found


class _Ranking:
    """What is gathered of all views, and the ranking that follows from it.

    Parameters
    ----------
    kept
        The maps.
    base
        Room for the labels.
    settled
        What is painted.
    """

    def __init__(self, kept: KeptMaps, base: LabelStore, settled: Settled | None) -> None:
        self._kept, self._base, self._settled = kept, base, settled
        self._missed: list[DoubtfulObject] = []
        self._views = [
            ViewFacts(kept, position, index, base, settled) for position, index in kept.views()
        ]
        self._cells = None if settled is None else PaintedCells(settled, base)

    def steps(self, task: Task, other: LabelStore, memory: int, missed: int) -> Iterator[int]:
        """Gather it; yield the number of the part that is worked on, again and again."""
        for _ in self._kept.decode(task, self._base, memory):
            yield 0
        for view in self._views:
            view.look()
            yield 1
        if self._cells is not None:
            for position, index in self._kept.views():
                self._cells.look(self._kept, position, index)
                yield 1
        for number, changed in enumerate(other_thresholds(task), 1):
            for _ in self._kept.decode(changed, other, memory):
                yield number
            for view in self._views:
                view.compare(other)
                yield number
        if missed:
            yield from self._look_for_missed(task, other, memory, missed)

    def _look_for_missed(
        self, task: Task, other: LabelStore, memory: int, most: int
    ) -> Iterator[int]:
        last = 1 + len(other_thresholds(task))
        for _ in self._kept.decode(generous_thresholds(task), other, memory):
            yield last
        threshold = getattr(task, "foreground_threshold")  # noqa: B009  of a task of cells
        usual = _reference(self._views, self._cells)
        for (position, _), view in zip(self._kept.views(), self._views, strict=True):
            facts = (self._kept, position, self._settled, usual, threshold, most)
            self._missed += missed_cells(view, other, *facts)
            yield last

    def ranked(self, most: int, within: Box | None = None) -> list[DoubtfulObject]:
        """Return the most doubtful objects, of a part or of all."""
        reference = _reference(self._views, self._cells)
        found = [item for view in self._views for item in _of_view(view, reference, most, within)]
        if self._cells is not None:
            found += self._cells.mistakes()
        return _ranked([*found, *self._missed], len(self._views[0].shape), most)

    def summary(self) -> DoubtSummary:
        """Return the mean doubt, and the most doubtful object."""
        reference = _reference(self._views, None)
        each = [doubts(_signs(view, reference))[view.sums.size > 0] for view in self._views]
        all_of_them = np.concatenate([np.zeros(0), *each])
        if not all_of_them.size:
            return DoubtSummary(0, None, None)
        return DoubtSummary(all_of_them.size, float(all_of_them.mean()), self.ranked(1)[0])


def drained(
    steps: Generator[Progress, None, _Found],
    on_progress: Callable[[Progress], None] | None = None,
) -> _Found:
    """Do all steps of a ranking and return it."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            found: _Found = end.value
            return found
        if on_progress is not None:
            on_progress(step)


def _ranked(found: Sequence[DoubtfulObject], ndim: int, most: int) -> list[DoubtfulObject]:
    """Return the most doubtful ones; `ndim` is the number of axes of a view."""
    best: dict[tuple[Any, ...], DoubtfulObject] = {}
    for item in found:  # an object whose slices are views of their own is listed once
        frame = item.point[:1] if len(item.point) > ndim else ()
        key = (item.painted, item.number, item.point if item.missed else frame)
        if key not in best or best[key].doubt < item.doubt:
            best[key] = item
    return sorted(best.values(), key=lambda item: -item.doubt)[:most]


def _reference(views: Sequence[ViewFacts], cells: PaintedCells | None) -> SizeReference:
    """Return which sizes are usual among the objects, or those that are painted."""
    whole = [view.sums.size[(view.sums.size > 0) & ~view.sums.at_border] for view in views]
    painted = np.zeros(0) if cells is None else cells.sizes
    return SizeReference.of(painted, np.concatenate([np.zeros(0), *whole]))


def _signs(view: ViewFacts, reference: SizeReference) -> NDArray[np.floating]:
    return signs_of(view.sums, view.cuts.all(), view.fates(), reference)


def _of_view(
    view: ViewFacts, reference: SizeReference, most: int, within: Box | None
) -> Iterator[DoubtfulObject]:
    signs = _signs(view, reference)
    doubt = doubts(signs)
    open_ones = view.numbers_in(within) & (view.sums.painted < _SETTLED_SHARE)
    usual = np.median(signs[view.sums.size > 0], axis=0) if open_ones.any() else signs[0]
    numbers = np.flatnonzero(open_ones)
    numbers = numbers[np.argsort(-doubt[numbers], kind="stable")][:most]
    places = _inner_points(view, numbers)
    for number, point in zip(numbers.tolist(), places, strict=True):
        yield DoubtfulObject(
            float(doubt[number]),
            reasons(signs[number], usual),
            number,
            (*view.index, *point),
            size=int(view.sums.size[number]),
        )


def _inner_points(view: ViewFacts, numbers: NDArray[np.intp]) -> Iterator[tuple[int, ...]]:
    """Yield a pixel of each object: in its middle, if that is a pixel of it."""
    centres = np.rint(view.sums.centre[numbers]).astype(np.intp)
    for number, centre, deepest in zip(numbers, centres, view.sums.deepest[numbers], strict=True):
        box = Box(tuple(centre.tolist()), tuple((centre + 1).tolist()))
        inside = int(view.labels(box).ravel()[0]) == number
        yield tuple((centre if inside else deepest).tolist())
