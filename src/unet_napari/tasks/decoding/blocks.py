"""Cutting an array into blocks, and working on several of them at a time. No torch."""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar

import numpy as np

from unet_napari.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Passes: TypeAlias = Iterator[tuple[int, int, Box | None]]
    """The number of blocks done, the number in all, and the part that has just been written."""

__all__ = [
    "DEFAULT_BLOCKS",
    "Blocks",
    "BoxTarget",
    "LookUp",
    "Pool",
    "Store",
    "Threads",
    "block_shape",
    "cover",
    "in_threads",
]

_Found = TypeVar("_Found")
_Item = TypeVar("_Item")

# Cost of a box however small it is, in voxels: the calls of NumPy take that long by themselves.
_PER_BOX = 2**17


class BoxTarget(Protocol):
    """A result that is written box by box."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis."""

    def __setitem__(self, key: Any, value: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        """Write a part, selected by slices."""


class Store(BoxTarget, Protocol):
    """Room for an array, in memory or on disk, that is read and written box by box."""

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401  as NumPy has it
        """Return a part; perhaps a view."""


class LookUp(Protocol):
    """Numbers that are looked up by position, as in a NumPy array of one axis."""

    def take(
        self, indices: NDArray[Any], /, *, mode: Literal["raise", "clip"] = "raise"
    ) -> NDArray[Any]:
        """Return the numbers at some positions; with ``clip``, the last one for those beyond."""


class Pool(Protocol):
    """What works on several blocks at a time.

    Attributes
    ----------
    remote : bool
        Whether it does so in other processes, which share no memory with this one: functions and
        what they are given are sent there, and what they return is sent back.
    """

    @property
    def remote(self) -> bool:
        """See above."""

    def map(self, function: Callable[..., _Found], *items: Iterable[Any]) -> Iterator[_Found]:
        """Yield the results of a function for each item, or each row of items, in order."""

    def table(self, values: NDArray[Any]) -> LookUp:
        """Return numbers in a form that functions may be given."""

    def write(
        self, function: Callable[[Box], NDArray[Any]], boxes: Sequence[Box], out: BoxTarget
    ) -> Iterator[Box]:
        """Write what a function returns for each box; yield each that has been written."""


@dataclass(frozen=True)
class Blocks:
    """How an image is cut into blocks, and how many of them are worked on at a time.

    Attributes
    ----------
    voxels : int
        Largest number of voxels of a block. The result does not depend on it.
    largest : int
        Largest number of voxels of a block together with its surroundings. Where a pixel and a
        seed that may reach it lie farther apart than this allows, the result may depend on the
        blocks.
    threads : int
        Number of blocks that are worked on at a time.
    unit : tuple of int, optional
        Shape of the chunks of the file that the result is written to. The blocks of the result
        are multiples of it where they can be, so that no chunk is written twice.
    pool : Pool, optional
        What works on the blocks in place of threads of this process.
    """

    voxels: int = 2**22
    largest: int = 2**23
    threads: int = 1
    unit: tuple[int, ...] | None = None
    pool: Pool | None = None

    @property
    def workers(self) -> Pool:
        """What works on the blocks."""
        return self.pool or Threads(self.threads)

    def cut(self, shape: Sequence[int], unit: Sequence[int] | None) -> list[Box]:
        """Return the blocks of an array, in C order; see `block_shape`."""
        voxels = self.voxels
        if self.pool is not None:  # no two processes may write into one chunk
            voxels = max(voxels, math.prod(unit or ()))
        return Box.whole(shape).blocks(block_shape(shape, voxels, unit))


DEFAULT_BLOCKS = Blocks()
"""Blocks of four million voxels, each of which takes about a second.

A smaller block would spend more of its time in the calls of NumPy and on its surroundings. With as
many voxels again around it, a block has at least 16 pixels of surroundings in a volume and 128 in
an image. A small part of a block that is in doubt may have several times more around it.
"""


def block_shape(
    shape: Sequence[int], voxels: int, unit: Sequence[int] | None = None
) -> tuple[int, ...]:
    """Return the shape of blocks that hold at most so many voxels.

    Parameters
    ----------
    shape
        Shape of the array. Its longest axes are cut first, so blocks tend to be cubes.
    voxels
        Largest number of voxels of a block, at least 1.
    unit
        Shape of the chunks of a file; blocks are multiples of it where they can be.
    """
    block = list(shape)
    parts = [1] * len(block)
    units = list(unit or parts)
    while math.prod(block) > voxels:
        longer = [axis for axis, size in enumerate(block) if size > units[axis]]
        if not longer:
            # A single chunk holds too many voxels: memory counts for more than whole chunks do.
            units = [1] * len(block)
            continue
        axis = max(longer, key=lambda axis: block[axis])
        parts[axis] += 1
        block[axis] = math.ceil(shape[axis] / parts[axis] / units[axis]) * units[axis]
    return tuple(block)


def cover(pixels: NDArray[np.intp], context: int, shape: Sequence[int]) -> list[Box]:
    """Return boxes that hold some pixels, so that the boxes are cheap with their surroundings.

    Many small boxes cost more surroundings, and few large ones more pixels that nobody asked for.
    So a box is halved as long as its halves together cost less than the box itself.

    Parameters
    ----------
    pixels
        Positions of the pixels, ``(N, D)``; without any there is no box.
    context
        Number of pixels of surroundings that are worked on with each box, on every side.
    shape
        Shape of the array.
    """
    if not len(pixels):
        return []
    low, high = pixels.min(axis=0), pixels.max(axis=0) + 1
    # Boxes need not fit closely; so the work is that of some cells, not of all pixels.
    cell = max(1, context // 4)
    cells = np.zeros((high - low - 1) // cell + 1, bool)
    cells[tuple((pixels - low).T // cell)] = True

    def box(corners: NDArray[np.intp]) -> Box:
        start = low + cell * corners.min(axis=0)
        stop = np.minimum(low + cell * (corners.max(axis=0) + 1), high)
        return Box(tuple(start.tolist()), tuple(stop.tolist()))

    def cheapest(corners: NDArray[np.intp]) -> tuple[int, list[Box]]:
        """Return the cost and the boxes: one around all cells, or those of both halves."""
        whole = box(corners)
        cost = _PER_BOX + whole.grow(context).clip(shape).size
        axis = int(np.argmax(whole.shape))
        # Two halves cost at least twice `_PER_BOX`, and short ones are mostly surroundings.
        if cost <= 2 * _PER_BOX or whole.shape[axis] <= context:
            return cost, [whole]
        middle = (whole.start[axis] + whole.stop[axis]) // 2
        before = low[axis] + cell * corners[:, axis] < middle
        halves = [cheapest(corners[half]) for half in (before, ~before)]
        apart = sum(cost for cost, _ in halves)
        return (cost, [whole]) if cost <= apart else (apart, halves[0][1] + halves[1][1])

    return cheapest(np.argwhere(cells))[1]


@dataclass(frozen=True)
class Threads:
    """Threads of this process that work on blocks, see `Pool`."""

    threads: int = 1
    remote: ClassVar[bool] = False

    def map(self, function: Callable[..., _Found], *items: Iterable[Any]) -> Iterator[_Found]:
        """Yield the results in order, see `in_threads`."""
        return in_threads(lambda row: function(*row), zip(*items, strict=False), self.threads)

    def table(self, values: NDArray[Any]) -> LookUp:
        """Return the same numbers."""
        return values

    def write(
        self, function: Callable[[Box], NDArray[Any]], boxes: Sequence[Box], out: BoxTarget
    ) -> Iterator[Box]:
        """Compute in threads, and write in the caller's."""
        for box, values in zip(boxes, self.map(function, boxes), strict=True):
            out[box.to_slices()] = values
            yield box


def in_threads(
    function: Callable[[_Item], _Found], boxes: Iterable[_Item], threads: int
) -> Iterator[_Found]:
    """Yield the results of a function for every box, in order, some boxes ahead of the caller.

    Whoever closes the iterator waits for the boxes that have been begun, and for no others.
    """
    if threads < 2:
        yield from map(function, boxes)
        return
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Any] = deque()
        try:
            for box in boxes:
                begun.append(pool.submit(function, box))
                # One box more than there are threads, so that none is idle while the caller
                # writes, and no more, so that few results wait in memory.
                if len(begun) > threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
