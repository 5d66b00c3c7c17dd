"""Boxes of pixels: which part of an array is meant, with the arithmetic of it. No torch.

The idea is that of the `Roi` of funlib.geometry (https://github.com/funkelab/funlib.geometry): one
type that knows its start and its stop, so that no code elsewhere adds to the ends of slices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Box"]


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
        for start, stop in zip(self.start, self.stop, strict=True):
            if stop < start:
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
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

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

    def to_slices(self) -> tuple[slice, ...]:
        """Return the box as an index of an array; it must not start before zero."""
        return tuple(map(slice, self.start, self.stop))

    def grow(self, by: int | Sequence[int]) -> Box:
        """Return the box with more pixels on both sides of each axis.

        Parameters
        ----------
        by : int or sequence of int
            How many pixels, for all axes or for each; the box shrinks where it is negative.
        """
        steps = (by,) * self.ndim if isinstance(by, int) else by
        return Box(
            tuple(a - g for a, g in zip(self.start, steps, strict=True)),
            tuple(b + g for b, g in zip(self.stop, steps, strict=True)),
        )

    def shift(self, by: Sequence[int]) -> Box:
        """Return the box moved by so many pixels along each axis."""
        return Box(
            tuple(a + s for a, s in zip(self.start, by, strict=True)),
            tuple(b + s for b, s in zip(self.stop, by, strict=True)),
        )

    def relative_to(self, outer: Box) -> Box:
        """Return this box in the coordinates of another, whose start becomes zero."""
        return self.shift(tuple(-a for a in outer.start))

    def absolute_in(self, outer: Box) -> Box:
        """Return this box, given in the coordinates of another, in those of the whole array."""
        return self.shift(outer.start)

    def intersect(self, other: Box) -> Box:
        """Return the pixels that both boxes hold; an empty box where they share none."""
        start = tuple(max(pair) for pair in zip(self.start, other.start, strict=True))
        stop = (min(pair) for pair in zip(self.stop, other.stop, strict=True))
        return Box(start, tuple(max(pair) for pair in zip(start, stop, strict=True)))

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
