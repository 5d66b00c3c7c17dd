"""Boxes of pixels: which part of an array is meant, with the arithmetic of it. No torch.

The idea is that of the `Roi` of funlib.geometry (https://github.com/funkelab/funlib.geometry): one
type that knows its start and its stop, so that no code elsewhere adds to the ends of slices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from operator import add, gt, neg, sub
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Box", "bounding_box"]


@dataclass(frozen=True, slots=True)
class Box:
    """A box of pixels, `start` included and `stop` excluded, one entry per axis.

    The box may reach beyond the array that it belongs to, negative starts included.

    Attributes
    ----------
    start, stop : tuple of int
        Along each axis of the array, in pixels; no stop lies before its start.

    Raises
    ------
    ValueError
        If the two have different lengths, or a stop lies before its start.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    def __post_init__(self) -> None:
        self._match(self.stop)
        if any(map(gt, self.start, self.stop)):
            raise ValueError(f"The box from {self.start} to {self.stop} ends before it begins.")

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Box:
        """Return the box that is all of an array of this shape."""
        return cls((0,) * len(shape), tuple(shape))

    @classmethod
    def from_slices(cls, slices: Iterable[slice], shape: Sequence[int] | None = None) -> Box:
        """Return the box that some slices pick, one slice per axis.

        Parameters
        ----------
        slices : iterable of slice
            Slices with a step of 1.
        shape : sequence of int, optional
            Shape of the array. With it, slices may lack an end, count from the far end of the
            array or reach beyond it, as in an index; without it, both ends are taken as they are.

        Raises
        ------
        ValueError
            If a slice takes other steps than 1, or if it lacks an end and there is no shape.
        """
        slices = tuple(slices)
        if any(part.step not in (None, 1) for part in slices):
            raise ValueError(f"A box has no steps, as {slices} has.")
        if shape is not None:
            ends = [part.indices(size) for part, size in zip(slices, shape, strict=True)]
            return cls(tuple(a for a, _, _ in ends), tuple(max(a, b) for a, b, _ in ends))
        if any(part.start is None or part.stop is None for part in slices):
            raise ValueError(f"Without the shape of the array, {slices} lacks an end.")
        return cls(tuple(part.start for part in slices), tuple(part.stop for part in slices))

    @classmethod
    def from_spans(cls, spans: Iterable[tuple[int, int]]) -> Box:
        """Return the box with this (start, stop) along each axis, see `spans`."""
        spans = tuple(spans)
        return cls(tuple(start for start, _ in spans), tuple(stop for _, stop in spans))

    @classmethod
    def around(cls, boxes: Iterable[Box]) -> Box:
        """Return the smallest box that holds all of some boxes, of which there is at least one."""
        boxes = tuple(boxes)
        return cls(
            tuple(map(min, zip(*(box.start for box in boxes), strict=True))),
            tuple(map(max, zip(*(box.stop for box in boxes), strict=True))),
        )

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.start)

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent along each axis, in pixels."""
        return tuple(map(sub, self.stop, self.start))

    @property
    def size(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def is_empty(self) -> bool:
        """Whether the box holds no pixel."""
        return self.size == 0

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Start and stop along each axis, as plain tuples, which JSON can hold."""
        return tuple(zip(self.start, self.stop, strict=True))

    def to_slices(self, outer: Box | None = None) -> tuple[slice, ...]:
        """Return the box as an index.

        Parameters
        ----------
        outer : Box, optional
            A box that contains this one: the index is of the part of the array that lies in it.
            By default it is of the whole array, before whose zero the box must not start.
        """
        if outer is None:
            return tuple(map(slice, self.start, self.stop))
        self._match(outer.start)
        starts, stops = map(sub, self.start, outer.start), map(sub, self.stop, outer.start)
        return tuple(map(slice, starts, stops))

    def grow(self, by: int | Sequence[int]) -> Box:
        """Return the box with more pixels on both sides of each axis.

        Parameters
        ----------
        by : int or sequence of int
            Number of pixels, for all axes or for each; the box shrinks where it is negative.
        """
        steps = (by,) * self.ndim if isinstance(by, int) else by
        self._match(steps)
        return Box(tuple(map(sub, self.start, steps)), tuple(map(add, self.stop, steps)))

    def shift(self, by: Sequence[int]) -> Box:
        """Return the box moved by so many pixels along each axis."""
        self._match(by)
        return Box(tuple(map(add, self.start, by)), tuple(map(add, self.stop, by)))

    def relative_to(self, outer: Box) -> Box:
        """Return this box in the coordinates of another, whose start becomes zero."""
        return self.shift(tuple(map(neg, outer.start)))

    def absolute_in(self, outer: Box) -> Box:
        """Return this box, given in the coordinates of another, in those of the whole array."""
        return self.shift(outer.start)

    def intersect(self, other: Box) -> Box:
        """Return the pixels that both boxes hold; an empty box where they share none."""
        self._match(other.start)
        start = tuple(map(max, self.start, other.start))
        return Box(start, tuple(map(max, start, map(min, self.stop, other.stop))))

    def clip(self, shape: Sequence[int]) -> Box:
        """Return the pixels of the box that lie within an array of this shape."""
        return self.intersect(Box.whole(shape))

    def contains(self, other: Box) -> bool:
        """Tell whether each pixel of another box lies in this one; so it is for an empty box."""
        return self.intersect(other).size == other.size

    def replace_axis(self, axis: int, start: int, stop: int) -> Box:
        """Return the box with another start and stop along one axis, which may be negative."""
        axis %= self.ndim
        return Box(
            (*self.start[:axis], start, *self.start[axis + 1 :]),
            (*self.stop[:axis], stop, *self.stop[axis + 1 :]),
        )

    def prepend(self, index: Sequence[int]) -> Box:
        """Return the box in an array with more axes in front, at one position on each of them."""
        return Box((*index, *self.start), (*(i + 1 for i in index), *self.stop))

    def slabs(self, rows: int) -> Iterator[Box]:
        """Yield the box in slabs of at most `rows` rows along its first axis."""
        for start in range(self.start[0], self.stop[0], rows):
            yield self.replace_axis(0, start, min(start + rows, self.stop[0]))

    def slabs_of(self, pixels: int) -> Iterator[Box]:
        """Yield the box in slabs of at most so many pixels, cut along as many axes as that takes.

        The slabs come in C order; a box without pixels is yielded as it is.
        """
        if self.size <= pixels or not self.ndim:
            yield self
            return
        across = math.prod(self.shape[1:])
        for slab in self.slabs(max(1, pixels // across)):
            if across <= pixels:
                yield slab
                continue
            for rest in Box(self.start[1:], self.stop[1:]).slabs_of(pixels):
                yield Box((slab.start[0], *rest.start), (slab.stop[0], *rest.stop))

    def blocks(self, shape: Sequence[int]) -> list[Box]:
        """Return the box in blocks of a shape, in C order; the last along an axis may be smaller.

        Parameters
        ----------
        shape : sequence of int
            Extent of a block along each axis, at least 1 pixel.
        """
        axes = [
            [(start, min(start + step, end)) for start in range(begin, end, step)]
            for (begin, end), step in zip(self.spans, shape, strict=True)
        ]
        return [Box.from_spans(spans) for spans in product(*axes)]

    def _match(self, numbers: Sequence[int]) -> None:
        """Refuse numbers of which there is not one per axis, which `map` would drop in silence."""
        if len(numbers) != len(self.start):
            raise ValueError(f"A box of {len(self.start)} axes does not go with {tuple(numbers)}.")


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """Return the smallest box around what is true in an array; None where nothing is."""
    spans = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        if not found.size:
            return None
        spans.append((int(found[0]), int(found[-1]) + 1))
    return Box.from_spans(spans)
