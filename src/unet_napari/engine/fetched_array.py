"""An image of another computer, of which only those blocks are here that somebody has read."""

from __future__ import annotations

import itertools
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.protocol import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import DTypeLike, NDArray

__all__ = ["BlockGrid", "BlocksReady", "FetchBlocks", "FetchedArray"]

_SIDE = 512  # pixels of a block along the last two axes
_LEAST_CHUNK, _BLOCK_BYTES, _MOST_CHUNK = 1 << 16, 1 << 20, 1 << 23


@message
@dataclass(frozen=True)
class FetchBlocks:
    """Ask for blocks of an array.

    Attributes
    ----------
    array
        Its path or, between two computers, its number.
    blocks
        Numbers of the blocks, see `BlockGrid`.
    """

    array: str | int
    blocks: tuple[int, ...]


@message
@dataclass(frozen=True)
class BlocksReady:
    """Answer to a `FetchBlocks`: the blocks are there."""

    array: str | int
    blocks: tuple[int, ...]


class BlockGrid:
    """Cuts an array into blocks, the same on both computers.

    Parameters
    ----------
    shape, dtype
        Of the array.
    chunks
        Chunks that it is stored in, one size or several for each axis; empty: it has none. Where
        they are neither tiny nor huge they are the blocks, as none is then decoded twice.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike, chunks: Sequence[Any]) -> None:
        self.shape = shape
        itemsize = np.dtype(dtype).itemsize
        stored = tuple(int(np.max(chunk)) for chunk in chunks) if len(chunks) == len(shape) else ()
        if not stored or not _LEAST_CHUNK <= math.prod(stored) * itemsize <= _MOST_CHUNK:
            stored = self._compact(itemsize)
        self._block = stored
        self._counts = tuple(-(-n // max(1, b)) for n, b in zip(shape, stored, strict=True))

    def touched(self, box: Sequence[tuple[int, int]]) -> Iterator[int]:
        """Yield the numbers of the blocks that a box, as start and stop of each axis, touches."""
        if all(start < stop for start, stop in box):
            spans = zip(box, self._block, strict=True)
            along = [range(start // b, -(-stop // b)) for (start, stop), b in spans]
            for place in itertools.product(*along):
                yield int(np.ravel_multi_index(place, self._counts)) if place else 0

    def slices(self, number: int) -> tuple[slice, ...]:
        """Return where a block is."""
        if not self.shape:
            return ()
        place = np.unravel_index(number, self._counts)
        return tuple(
            slice(int(p) * b, min((int(p) + 1) * b, n))
            for p, b, n in zip(place, self._block, self.shape, strict=True)
        )

    def _compact(self, itemsize: int) -> tuple[int, ...]:
        left = _BLOCK_BYTES // itemsize
        sizes: list[int] = []
        for number, length in enumerate(reversed(self.shape)):
            most = min(left, _SIDE) if number < 2 else left
            sizes.insert(0, max(1, min(length, most)))
            left //= sizes[0]
        return tuple(sizes)


class FetchedArray:
    """A `LazyArray` that asks for the blocks that it is read at, each once.

    Parameters
    ----------
    data
        Array that whoever is asked writes to.
    chunks
        As of a `BlockGrid`.
    name
        What a `FetchBlocks` calls it.
    ask
        Passes a request on, and returns at once.
    """

    def __init__(
        self,
        data: NDArray[Any],
        chunks: Sequence[Any],
        name: str,
        ask: Callable[[FetchBlocks], None],
    ) -> None:
        self._data, self._name, self._ask = data, name, ask
        self._grid = BlockGrid(data.shape, data.dtype, chunks)
        self._here: set[int] = set()
        self._asked: set[int] = set()
        self._changed = threading.Condition()
        if chunks:  # or else a sample would be taken at other places than on the other computer
            self.chunks = tuple(chunks)

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self._data.dtype

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401
        """Return a part, once it is here."""
        needed = set(self._grid.touched(self._box(key)))
        with self._changed:
            missing = tuple(sorted(needed - self._asked))
            self._asked.update(missing)
        if missing:
            self._ask(FetchBlocks(self._name, missing))
        with self._changed:
            self._changed.wait_for(lambda: needed <= self._here)
        part: NDArray[Any] = self._data[key]
        return part

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it, for NumPy."""
        return np.array(self[...], dtype=dtype, copy=copy)

    def take(self, ready: BlocksReady) -> None:
        """Take note of blocks that are here; called from another thread."""
        with self._changed:
            self._here.update(ready.blocks)
            self._changed.notify_all()

    def _box(self, key: Any) -> list[tuple[int, int]]:  # noqa: ANN401
        """Return start and stop of what a key selects along each axis; all for odd keys."""
        keys = list(key) if isinstance(key, tuple) else [key]
        whole = [(0, n) for n in self.shape]
        dots = [number for number, part in enumerate(keys) if part is Ellipsis]
        for at in dots[:1]:
            keys[at : at + 1] = [slice(None)] * (len(whole) - len(keys) + 1)
        if not all(isinstance(k, int | np.integer | slice) for k in keys):
            return whole
        box = whole
        for axis, part in enumerate(keys):
            length = self.shape[axis]
            if isinstance(part, slice):
                chosen = range(*part.indices(length))
                ends = (chosen[0], chosen[-1]) if chosen else ()
                box[axis] = (min(ends), max(ends) + 1) if ends else (0, 0)
            else:
                at = int(part) % max(1, length)
                box[axis] = at, at + 1
        return box
