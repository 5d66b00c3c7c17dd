"""Arrays of which only the parts that are not zero are kept, such as labels of a large image."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from unet_napari.images import LazyArray

__all__ = ["Box", "SparseArray", "bounded_slabs", "boxes"]

Box = tuple[slice, ...]

_SIDE = 256  # pixels of a block along Y and X; along all other axes it is one slice
_AT_ONCE = 2**22  # pixels that are looked at at once


class SparseArray:
    """An array that can be read, of which only blocks with something else than 0 are in memory.

    It is a `LazyArray`, and may be pickled, so that it travels to another process as it is.

    Parameters
    ----------
    shape : sequence of int
    dtype : data-type

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    """

    def __init__(self, shape: Sequence[int], dtype: DTypeLike) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self._blocks: dict[tuple[int, ...], NDArray[Any]] = {}

    @classmethod
    def of(cls, data: LazyArray, where: Iterable[Box] | None = None) -> SparseArray:
        """Copy what is not zero of an array, slab by slab.

        Parameters
        ----------
        data : LazyArray
        where : iterable of tuple of slice, optional
            The boxes that are looked at; by default all of the array.
        """
        array = cls(data.shape, data.dtype)
        for box in bounded_slabs(data.shape) if where is None else where:
            array.put(box, np.asarray(data[box]))
        return array

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that are in memory."""
        return sum(block.nbytes for block in self._blocks.values())

    def put(self, box: Box, values: NDArray[Any], *, add: bool = False) -> None:
        """Set a box of the array; blocks of nothing but zeros take no memory.

        Parameters
        ----------
        box : tuple of slice
            One for each axis, with start and stop.
        values : ndarray
            Of the box's shape.
        add : bool
            Whether zeros leave what is there.
        """
        starts = [part.indices(n)[0] for part, n in zip(box, self.shape, strict=True)]
        for key in self._keys(box):
            cell = self._cell(key)
            inside = [
                slice(max(c.start, s) - s, min(c.stop, s + n) - s)
                for c, s, n in zip(cell, starts, values.shape, strict=True)
            ]
            part = values[tuple(inside)]
            if key not in self._blocks:
                if not part.any():
                    continue
                self._blocks[key] = np.zeros([c.stop - c.start for c in cell], self.dtype)
            at = [
                slice(i.start + s - c.start, i.stop + s - c.start)
                for i, c, s in zip(inside, cell, starts, strict=True)
            ]
            block = self._blocks[key][tuple(at)]
            np.copyto(block, part, where=part != 0 if add else True)

    def boxes(self, index: Sequence[int] = ()) -> Iterator[Box]:
        """Yield where there may be something at positions on the first axes; see `boxes`."""
        first = tuple(slice(i, i + 1) for i in index)
        rest = self.shape[len(first) :]
        box = (*first, *(slice(0, n) for n in rest))
        return (self._cell(key)[len(first) :] for key in sorted(self._keys_within(box)))

    def __getitem__(self, index: Any) -> NDArray[Any]:  # noqa: ANN401  as of an array
        box, dropped = self._box_of(index)
        out = np.zeros([part.stop - part.start for part in box], self.dtype)
        for key in self._keys_within(box):
            cell = self._cell(key)
            shared = [
                (max(c.start, b.start), min(c.stop, b.stop)) for c, b in zip(cell, box, strict=True)
            ]
            target = tuple(
                slice(a - b.start, e - b.start) for (a, e), b in zip(shared, box, strict=True)
            )
            source = tuple(
                slice(a - c.start, e - c.start) for (a, e), c in zip(shared, cell, strict=True)
            )
            out[target] = self._blocks[key][source]
        return out[tuple(0 if axis in dropped else slice(None) for axis in range(self.ndim))]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it, zeros included; only for arrays that fit into memory."""
        return np.asarray(self[...], dtype)

    def _sides(self) -> tuple[int, ...]:
        return tuple(_SIDE if axis >= self.ndim - 2 else 1 for axis in range(self.ndim))

    def _cell(self, key: tuple[int, ...]) -> Box:
        return tuple(
            slice(k * side, min((k + 1) * side, n))
            for k, side, n in zip(key, self._sides(), self.shape, strict=True)
        )

    def _keys(self, box: Box) -> Iterator[tuple[int, ...]]:
        ranges = []
        for part, side, n in zip(box, self._sides(), self.shape, strict=True):
            start, stop, _ = part.indices(n)
            ranges.append(range(start // side, -(-stop // side)))
        return itertools.product(*ranges)

    def _keys_within(self, box: Box) -> Iterator[tuple[int, ...]]:
        """Yield the blocks that a box touches, the quicker way round."""
        sides = self._sides()
        count = math.prod(-(-p.stop // s) - p.start // s for p, s in zip(box, sides, strict=True))
        if count <= len(self._blocks):
            return (key for key in self._keys(box) if key in self._blocks)
        return (
            key
            for key in self._blocks
            if all(
                k * s < p.stop and (k + 1) * s > p.start
                for k, s, p in zip(key, sides, box, strict=True)
            )
        )

    def _box_of(self, index: Any) -> tuple[Box, set[int]]:  # noqa: ANN401
        """Return the box that an index of integers, slices and ... picks, and axes it drops."""
        parts = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
        parts += [slice(None)] * (self.ndim - len(parts))
        box, dropped = [], set()
        for axis, (part, n) in enumerate(zip(parts, self.shape, strict=True)):
            if isinstance(part, slice):
                start, stop, step = part.indices(n)
                if step != 1:
                    raise IndexError("A sparse array is read in steps of 1.")
                box.append(slice(start, max(start, stop)))
                continue
            position = operator.index(part)
            if not -n <= position < n:
                raise IndexError(f"Index {position} is out of bounds for axis {axis} of size {n}.")
            box.append(slice(position % n, position % n + 1))
            dropped.add(axis)
        return tuple(box), dropped


def boxes(data: LazyArray, index: Sequence[int] = ()) -> Iterator[Box]:
    """Yield boxes of bounded size that hold all of an array that may be other than 0.

    Parameters
    ----------
    data : LazyArray
    index : sequence of int
        Positions on the first axes; the boxes are of the others.
    """
    if isinstance(data, SparseArray):
        return data.boxes(index)
    return bounded_slabs(data.shape[len(index) :])


def bounded_slabs(shape: Sequence[int]) -> Iterator[Box]:
    """Cover an array by slabs of bounded size, along as many axes as that takes."""
    if math.prod(shape) <= _AT_ONCE:
        yield tuple(slice(0, n) for n in shape)
        return
    inner = math.prod(shape[1:])
    step = max(1, _AT_ONCE // inner)
    for start in range(0, shape[0], step):
        slab = slice(start, min(start + step, shape[0]))
        if inner <= _AT_ONCE:
            yield (slab, *(slice(0, n) for n in shape[1:]))
        else:
            for rest in bounded_slabs(shape[1:]):
                yield (slab, *rest)
