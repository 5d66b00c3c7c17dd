"""Cutting an array into blocks, and working on several of them at a time. No torch."""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np

from unet_napari.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Passes: TypeAlias = Iterator[tuple[int, int, Box | None]]
    """Blocks done, blocks in all, what has been written."""

__all__ = [
    "DEFAULT_BLOCKS",
    "Blocks",
    "BoxTarget",
    "Store",
    "block_shape",
    "cover",
    "in_threads",
]

Found = TypeVar("Found")

# What a box costs however small it is, in voxels.
_PER_BOX = 2**17


class BoxTarget(Protocol):
    """What is written box by box."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis."""

    def __setitem__(self, key: Any, value: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        """Write a part, selected by slices."""


class Store(BoxTarget, Protocol):
    """Room for an array, in memory or on disk, that is read and written box by box."""

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401  as NumPy has it
        """Return a part; perhaps a view."""


@dataclass(frozen=True)
class Blocks:
    """How an image is worked on in blocks.

    Attributes
    ----------
    voxels : int
        The most that a block holds. No result depends on it.
    largest : int
        The most that a block holds together with its surroundings. Where a pixel and a seed that
        may reach it lie farther apart than this allows, the result may depend on the blocks.
    threads : int
        Blocks that are worked on at a time.
    unit : tuple of int, optional
        Blocks of the result are multiples of it where they can be: the chunks of a file.
    """

    voxels: int = 2**22
    largest: int = 2**23
    threads: int = 1
    unit: tuple[int, ...] | None = None


DEFAULT_BLOCKS = Blocks()
"""Four million voxels: large enough for NumPy and what comes with a block, done in a second.

With as many again around it a block has at least 16 pixels of surroundings in a volume and 128 in
an image; where only little of it is in doubt, that has several times more.
"""


def block_shape(
    shape: Sequence[int], voxels: int, unit: Sequence[int] | None = None
) -> tuple[int, ...]:
    """Return the shape of blocks that hold at most so many voxels.

    Parameters
    ----------
    shape
        Of the array. Its longest axes are cut first, so blocks tend to be cubes.
    voxels
        The most that a block holds, at least 1.
    unit
        Blocks are multiples of it where they can be: the chunks of a file.
    """
    block = list(shape)
    parts = [1] * len(block)
    units = list(unit or parts)
    while math.prod(block) > voxels:
        longer = [axis for axis, size in enumerate(block) if size > units[axis]]
        if not longer:
            units = [1] * len(block)
            continue
        axis = max(longer, key=lambda axis: block[axis])
        parts[axis] += 1
        block[axis] = math.ceil(shape[axis] / parts[axis] / units[axis]) * units[axis]
    return tuple(block)


def cover(pixels: NDArray[np.intp], context: int, shape: Sequence[int]) -> list[Box]:
    """Return boxes that hold some pixels, few and small enough to be cheap with surroundings.

    Parameters
    ----------
    pixels
        ``(N, D)`` positions; none need no box.
    context
        Pixels of surroundings that are worked on with each box.
    shape
        Of the array.
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
        """Return what the boxes cost, and these: one around all cells, or those of both halves."""
        whole = box(corners)
        cost = _PER_BOX + whole.grow(context).clip(shape).size
        axis = int(np.argmax(whole.shape))
        if cost <= 2 * _PER_BOX or whole.shape[axis] <= context:
            return cost, [whole]
        middle = (whole.start[axis] + whole.stop[axis]) // 2
        before = low[axis] + cell * corners[:, axis] < middle
        halves = [cheapest(corners[half]) for half in (before, ~before)]
        apart = sum(cost for cost, _ in halves)
        return (cost, [whole]) if cost <= apart else (apart, halves[0][1] + halves[1][1])

    return cheapest(np.argwhere(cells))[1]


def in_threads(
    function: Callable[[Box], Found], boxes: Iterable[Box], threads: int
) -> Iterator[Found]:
    """Yield what a function returns for every box, in order, some boxes ahead of the caller.

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
                if len(begun) > threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
