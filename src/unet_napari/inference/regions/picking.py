"""Which of the objects that were found belong to a region, and how they are written. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.geometry import Box, bounding_box
from unet_napari.inference.regions.renewal import belonging, renew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from unet_napari.images import LazyArray
    from unet_napari.inference.regions.placed import PlacedRegion
    from unet_napari.inference.regions.region_cuts import RegionCut
    from unet_napari.tasks.decoding.blocks import Store

    Inside = Callable[[Box], NDArray[np.bool_]]
    """Returns which pixels of a box, in the coordinates of the cut, are in the region."""

__all__ = ["Picked", "RegionTarget", "highest_label", "pick_objects", "take_over"]

_AT_ONCE = 2**22  # pixels that are looked at together


@dataclass(frozen=True)
class Picked:
    """The objects of a cut that belong to a region.

    Attributes
    ----------
    numbers : ndarray of uint32
        For each label of the cut its number among those that belong to the region, 1, 2, ... in
        order; 0 for the others.
    is_sure : bool
        Whether none of them, nor a neighbour of one, reaches beyond what is sure of the cut.
    """

    numbers: NDArray[np.uint32]
    is_sure: bool

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.numbers.max(initial=0))


def highest_label(labels: LazyArray) -> int:
    """Return the highest number of labels, reading one plane after the other."""
    return max((int(np.max(labels[i], initial=0)) for i in range(labels.shape[0])), default=0)


def pick_objects(labels: Store, cut: RegionCut, inside: Inside) -> Picked:
    """Return which objects belong to a region: those of which at least half lies in it.

    Parameters
    ----------
    labels : array of uint32
        Labels 1, 2, ... of the cut.
    cut : RegionCut
        What was computed.
    inside : callable
        Tells what lies in the region.
    """
    sizes, within = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for box in _slabs(labels):
        part = np.asarray(labels[box.to_slices()])
        sizes = _added(sizes, part)
        within = _added(within, part[inside(box)])
    within = np.pad(within, (0, sizes.size - within.size))
    kept = belonging(sizes, within)
    numbers = np.zeros(sizes.size, np.uint32)
    numbers[kept] = np.arange(1, 1 + np.count_nonzero(kept))
    return Picked(numbers, cut.is_whole or not _is_cut(labels, cut, kept))


def _slabs(labels: Store) -> Iterator[Box]:
    return Box.whole(labels.shape).slabs_of(_AT_ONCE)


def _added(counts: NDArray[np.int64], labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the number of pixels of each label, with those that were counted before."""
    more = np.bincount(labels.ravel(), minlength=counts.size)
    more[: counts.size] += counts
    return more


def _is_cut(labels: Store, cut: RegionCut, kept: NDArray[np.bool_]) -> bool:
    """Tell whether a kept object, or a neighbour of one, reaches what is not sure."""
    beyond = np.zeros(kept.size, bool)
    for axis, (start, stop) in enumerate(cut.sure.spans):
        whole = Box.whole(labels.shape)
        for strip in (
            whole.replace_axis(axis, 0, start),
            whole.replace_axis(axis, stop, labels.shape[axis]),
        ):
            for box in strip.slabs_of(_AT_ONCE):
                beyond[np.asarray(labels[box.to_slices()]).ravel()] = True
    beyond[0] = False
    if bool((beyond & kept).any()):
        return True
    for box in _slabs(labels):
        # One pixel more, for neighbours across the border of two slabs.
        part = np.asarray(labels[Box(box.start, tuple(n + 1 for n in box.stop)).clip(
            labels.shape).to_slices()])  # fmt: skip
        out, ours = beyond[part], kept[part]
        for axis in range(part.ndim):
            first = (slice(None),) * axis + (slice(None, -1),)
            second = (slice(None),) * axis + (slice(1, None),)
            if bool((out[first] & ours[second]).any() or (ours[first] & out[second]).any()):
                return True
    return False


class RegionTarget:
    """The result that the objects of a region are written into.

    Parameters
    ----------
    out : array-like
        Labels of the whole image, ([T,] *S), that are read and written.
    highest : int
        No label in it is higher. Objects that are there already stay, or are replaced by those
        that are found again, see `renew`; with 0 there are none.

    Attributes
    ----------
    highest : int
        The highest number that was given.
    count : int
        How many objects were written.
    """

    def __init__(self, out: Store, highest: int = 0) -> None:
        self._out, self._before = out, highest
        self.highest, self.count = highest, 0
        self._given: set[int] = set()  # numbers of objects that were replaced, where there were any
        self._written: list[tuple[tuple[int, ...], Box]] = []

    def write(
        self,
        index: tuple[int, ...],
        outer: Box,
        near: Box,
        labels: Store,
        picked: Picked,
        inside: Inside,
    ) -> Box:
        """Write the objects of a cut; return a box that holds all that may have changed.

        Parameters
        ----------
        index : tuple of int
            Position along the first axes of the result.
        outer : Box
            Place of the cut along the other axes.
        near : Box
            The piece of the region with its surroundings, along these axes: in them end the
            objects that may be replaced.
        labels, picked, inside
            See `pick_objects`.
        """
        kept = picked.numbers > 0
        if any(i == index and not b.intersect(outer).is_empty for i, b in self._written):
            kept &= ~self._there(index, outer, labels, kept.size)
        numbers = np.zeros(kept.size, np.uint32)
        numbers[kept] = np.arange(self.count + 1, self.count + 1 + np.count_nonzero(kept))
        self.count += int(np.count_nonzero(kept))
        self.highest = max(self.highest, self._before + self.count)
        window = self._window(outer, near, labels, numbers)
        self._written.append((index, window))
        if not self._before:
            self._add(index, outer, labels, numbers)
            return window
        place = window.relative_to(outer)
        found = numbers[np.asarray(labels[place.to_slices()])]
        plane: Any = _Plane(self._out, index)
        renewed = renew(
            plane, window.to_slices(), inside(place), found, self._before, base=self._before
        )
        self._given |= renewed.ids
        self.highest = max(self.highest, renewed.highest)
        return window

    def _there(
        self, index: tuple[int, ...], outer: Box, labels: Store, count: int
    ) -> NDArray[np.bool_]:
        """Tell which labels were written with another piece, to which they are as near."""
        sizes, there = np.zeros(count, np.int64), np.zeros(count, np.int64)
        for box in _slabs(labels):
            part = np.asarray(labels[box.to_slices()])
            now = np.asarray(self._out[(*index, *box.absolute_in(outer).to_slices())])
            ours = np.isin(now, list(self._given)) if self._before else now > 0
            sizes, there = _added(sizes, part), _added(there, part[ours])
        return belonging(sizes, there)

    def write_classes(
        self,
        index: tuple[int, ...],
        wanted: Box,
        classes: NDArray[Any],
        inside: NDArray[np.bool_],
    ) -> None:
        """Write the classes of those pixels of a piece that lie in the region."""
        key = (*index, *wanted.to_slices())
        there = np.array(self._out[key])
        np.copyto(there, classes, where=inside, casting="unsafe")
        self._out[key] = there
        self.highest = max(self.highest, self._before, int(classes.max(initial=0)))

    def _add(
        self, index: tuple[int, ...], outer: Box, labels: Store, numbers: NDArray[np.uint32]
    ) -> None:
        """Write where nothing is yet."""
        for box in _slabs(labels):
            new = numbers[np.asarray(labels[box.to_slices()])]
            tight = bounding_box(new > 0)
            if tight is not None:
                key = (*index, *tight.absolute_in(box).absolute_in(outer).to_slices())
                there = np.array(self._out[key])
                np.copyto(there, new[tight.to_slices()], where=there == 0, casting="unsafe")
                self._out[key] = there

    @staticmethod
    def _window(outer: Box, near: Box, labels: Store, numbers: NDArray[np.uint32]) -> Box:
        """Return a box of the image around surroundings and the objects that belong to it."""
        found = [near]
        for box in _slabs(labels):
            tight = bounding_box(numbers[np.asarray(labels[box.to_slices()])] > 0)
            if tight is not None:
                found.append(tight.absolute_in(box).absolute_in(outer))
        return Box.around(found)


def take_over(
    out: Store,
    labels: LazyArray,
    windows: Iterable[tuple[Sequence[int], Box]],
    region: PlacedRegion,
    highest: int,
    *,
    separates: bool,
) -> None:
    """Write what was found in a region of an image, from labels that hold nothing else.

    Parameters
    ----------
    out : array-like
        Labels of the whole image that are read and written, ([T,] *S).
    labels : LazyArray
        What was found, of the same shape.
    windows : iterable of (sequence of int, Box)
        Where that is: a position along the first axes, and a box along the others.
    region : PlacedRegion
        The region.
    highest : int
        No label in `out` is higher; 0: it holds none.
    separates : bool
        Whether the labels are numbers of objects, see `renew`, rather than classes.
    """
    for index, box in windows:
        key = (*index, *box.to_slices())
        found = np.asarray(labels[key])
        inside = region.read(box.prepend(index)).reshape(box.shape)
        if separates and highest:
            plane: Any = _Plane(out, tuple(index))
            renew(plane, box.to_slices(), inside, found, highest, base=highest)
            continue
        there = np.array(out[key])
        new = (found > 0) & (there == 0) if separates else inside
        np.copyto(there, found, where=new, casting="unsafe")
        out[key] = there


class _Plane:
    """A result at a position along its first axes."""

    def __init__(self, out: Store, index: tuple[int, ...]) -> None:
        self._out, self._index = out, index
        self.shape = tuple(out.shape[len(index) :])

    def __getitem__(self, key: tuple[slice, ...], /) -> NDArray[Any]:
        return np.asarray(self._out[(*self._index, *key)])

    def __setitem__(self, key: tuple[slice, ...], values: NDArray[Any], /) -> None:
        self._out[(*self._index, *key)] = values
