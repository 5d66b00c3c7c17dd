"""Arrays that keep only those parts that are not zero, such as labels of a large image."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from unet_napari.images import LazyArray

__all__ = ["SparseArray", "boxes"]

# Side of a block along Y and X, in pixels. Along all other axes a block is one slice.
_BLOCK_SIDE = 256
# Number of pixels of an array that are read at a time.
_READ_PIXELS = 2**22


class SparseArray:
    """An array that keeps only those of its blocks in memory that hold something else than 0.

    It is a `LazyArray`, and it can be pickled, so that it travels to another process as it is.

    Parameters
    ----------
    shape : sequence of int
        Shape of the whole array.
    dtype : data-type
        Type of its values.

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
        """Copy the blocks of an array that are not zero, slab by slab.

        Parameters
        ----------
        data : LazyArray
            The array.
        where : iterable of Box, optional
            The boxes that are looked at; by default all of the array.
        """
        array = cls(data.shape, data.dtype)
        for box in Box.whole(data.shape).slabs_of(_READ_PIXELS) if where is None else where:
            array.put(box, np.asarray(data[box.to_slices()]))
        return array

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes of the blocks in memory."""
        return sum(block.nbytes for block in self._blocks.values())

    def put(self, box: Box, values: NDArray[Any], *, add: bool = False) -> None:
        """Set a box of the array; blocks of nothing but zeros take no memory.

        Parameters
        ----------
        box : Box
            The part that is set, within the array.
        values : ndarray
            Values of the box's shape.
        add : bool
            Whether zeros leave the values of the array as they are.
        """
        for key in self._keys(box):
            cell = self._cell(key)
            shared = cell.intersect(box)
            part = values[shared.to_slices(box)]
            if key not in self._blocks:
                if not part.any():
                    continue
                self._blocks[key] = np.zeros(cell.shape, self.dtype)
            block = self._blocks[key][shared.to_slices(cell)]
            np.copyto(block, part, where=part != 0 if add else True)

    def boxes(self, index: Sequence[int] = ()) -> Iterator[Box]:
        """Yield the boxes that may hold something else than 0; see the function `boxes`."""
        leading = len(index)
        box = Box.whole(self.shape[leading:]).prepend(index)
        cells = (self._cell(key) for key in sorted(self._keys_within(box)))
        return (Box(cell.start[leading:], cell.stop[leading:]) for cell in cells)

    def __getitem__(self, index: Any) -> NDArray[Any]:  # noqa: ANN401  as of an array
        box, dropped = self._box_of(index)
        out = np.zeros(box.shape, self.dtype)
        for key in self._keys_within(box):
            cell = self._cell(key)
            shared = cell.intersect(box)
            block = self._blocks[key][shared.to_slices(cell)]
            out[shared.to_slices(box)] = block
        return out[tuple(0 if axis in dropped else slice(None) for axis in range(self.ndim))]

    def __setitem__(self, index: Any, values: Any) -> None:  # noqa: ANN401  as of an array
        box, dropped = self._box_of(index)
        kept = [n for axis, n in enumerate(box.shape) if axis not in dropped]
        self.put(box, np.broadcast_to(values, kept).reshape(box.shape))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it, zeros included; only for arrays that fit into memory."""
        return np.asarray(self[...], dtype)

    def _sides(self) -> tuple[int, ...]:
        return tuple(_BLOCK_SIDE if axis >= self.ndim - 2 else 1 for axis in range(self.ndim))

    def _cell(self, key: tuple[int, ...]) -> Box:
        start = tuple(k * side for k, side in zip(key, self._sides(), strict=True))
        ends = zip(start, self._sides(), self.shape, strict=True)
        return Box(start, tuple(min(a + side, n) for a, side, n in ends))

    def _keys(self, box: Box) -> Iterator[tuple[int, ...]]:
        return itertools.product(
            *(
                range(start // side, -(-stop // side))
                for (start, stop), side in zip(box.spans, self._sides(), strict=True)
            )
        )

    def _keys_within(self, box: Box) -> Iterator[tuple[int, ...]]:
        """Yield the keys of the blocks in memory that a box touches."""
        sides = self._sides()
        count = math.prod(-(-b // s) - a // s for (a, b), s in zip(box.spans, sides, strict=True))
        # The shorter of the two lists is looked through: all blocks of the box, or all in memory.
        if count <= len(self._blocks):
            return (key for key in self._keys(box) if key in self._blocks)
        return (
            key
            for key in self._blocks
            if all(
                k * s < stop and (k + 1) * s > start
                for k, s, (start, stop) in zip(key, sides, box.spans, strict=True)
            )
        )

    def _box_of(self, index: Any) -> tuple[Box, set[int]]:  # noqa: ANN401
        """Return the box that an index of integers and slices picks, and the axes that it drops."""
        parts = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
        parts += [slice(None)] * (self.ndim - len(parts))
        spans, dropped = [], set()
        for axis, (part, n) in enumerate(zip(parts, self.shape, strict=True)):
            if isinstance(part, slice):
                start, stop, step = part.indices(n)
                if step != 1:
                    raise IndexError("A sparse array is read in steps of 1.")
                spans.append((start, max(start, stop)))
                continue
            position = operator.index(part)
            if not -n <= position < n:
                raise IndexError(f"Index {position} is out of bounds for axis {axis} of size {n}.")
            spans.append((position % n, position % n + 1))
            dropped.add(axis)
        return Box.from_spans(spans), dropped


def boxes(data: LazyArray, index: Sequence[int] = ()) -> Iterator[Box]:
    """Yield boxes of bounded size that hold all of an array that may be other than 0.

    Parameters
    ----------
    data : LazyArray
        The array.
    index : sequence of int
        Positions on the first axes; the boxes have the other axes.
    """
    if isinstance(data, SparseArray):
        return data.boxes(index)
    return Box.whole(data.shape[len(index) :]).slabs_of(_READ_PIXELS)
