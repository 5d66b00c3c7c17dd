"""From maps to objects, block by block, with the result of doing it all at once. No torch.

The work goes over all blocks several times, so that only one block per thread is in memory:

1. Seeds: each block numbers its own seeds. Seeds of two blocks that touch across a face become one.
2. Flood: each block is flooded together with some of its surroundings. Where these do not suffice
   to be sure of a pixel, the doubtful part is flooded again with more of them.
3. Cuts, where the rule asks for it: objects with hardly a boundary between them become one.
4. Gaps: the connected parts outside all objects are numbered and joined like the seeds, and each
   notes which objects it touches. A gap that touches a single object is a hole of it.
5. Result: small objects are dropped, holes are filled, and the ids 1, 2, ... are given in the order
   in which the objects begin in the array.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from unet_napari.tasks.decoding.block_work import BlockWork
from unet_napari.tasks.decoding.components import Components
from unet_napari.tasks.decoding.cuts import Cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from numpy.typing import NDArray

    from unet_napari.geometry import Box
    from unet_napari.tasks.decoding.blocks import Blocks, BoxTarget, Passes, Store
    from unet_napari.tasks.decoding.decode import CellRule

__all__ = ["BYTES_PER_VOXEL", "Given", "Instances"]

_Found = TypeVar("_Found")

# Largest number of seeds, and of gaps. The ids of gaps lie above those of all seeds in one array
# of 32 bits, so each kind may have half of the numbers.
_MOST_PIECES = 2**31 - 1
BYTES_PER_VOXEL = 50
"""Memory that a thread takes at its peak for every voxel that it floods, at most."""
# Number of times that the work goes over all blocks; it is one more where cuts are looked at.
_PASSES = 6
# Passes that other processes do besides, see `Instances._numbers`.
_PASSES_TO_COUNT = 2


@dataclass(frozen=True)
class Given:
    """What numbers the pieces of a block whose first number is known; it can be sent elsewhere."""

    offset: int

    def __call__(self, count: int) -> int:
        """Return what to add to 1, 2, ..."""
        del count
        return self.offset


class Instances:
    """Finds the objects of an image in blocks.

    Parameters
    ----------
    rule
        The rule that says where cells are.
    maps
        Packed maps, uint8 ``(3, *S)``.
    ids
        Room for the work, uint32 ``(*S)``; whatever it holds is overwritten. It holds numbers of
        seeds first, then those of the flooded objects, and at last those of gaps, too.
    blocks
        Size of the blocks, and how many of them are worked on at a time.
    """

    def __init__(self, rule: CellRule, maps: Store, ids: Store, blocks: Blocks) -> None:
        self._work = BlockWork(rule, maps, ids, blocks.largest)
        self._blocks, self._pool = blocks, blocks.workers

    def run(self, out: BoxTarget, first_id: int = 1) -> Passes:
        """Find the objects; the caller stops the work by closing the iterator.

        Parameters
        ----------
        out
            The result, uint32 ``(*S)``; every pixel is written once.
        first_id
            The smallest id that is given.

        Yields
        ------
        done, total : int
            The number of blocks worked on so far, and in all passes together.
        box : Box or None
            The part of `out` that has been written.
        """
        work, pool, shape = self._work, self._pool, self._work.ids.shape
        boxes = self._blocks.cut(shape, getattr(work.ids, "chunks", None))
        last = self._blocks.cut(shape, self._blocks.unit)
        with_cuts = work.rule.boundary_threshold > 0
        passes = _PASSES - 1 + with_cuts + _PASSES_TO_COUNT * pool.remote
        total = passes * len(boxes) + len(last)
        done = 0

        # A pass begins when the one before is through with all blocks: it reads across the faces.
        def each(found: Iterable[_Found], keep: Callable[[_Found], None]) -> Passes:
            nonlocal done
            for one in found:
                keep(one)
                done += 1
                yield done, total, None

        seeds, gaps, cuts = Components(_MOST_PIECES), Components(_MOST_PIECES), Cuts()
        self._first: list[tuple[int, NDArray[np.int64]]] = []
        self._beside: list[tuple[int, NDArray[np.uint32], NDArray[np.uint32]]] = []

        numbers = yield from self._numbers(work.count_seeds, boxes, seeds, each)
        yield from each(pool.map(work.find_seeds, boxes, numbers), self._first.append)
        yield from each(pool.map(work.join, boxes), seeds.join)
        self._roots, self._sizes = seeds.roots(), np.zeros(seeds.count + 1, np.int64)
        roots = pool.table(self._roots)
        yield from each(pool.map(partial(work.flood, roots=roots), boxes), self._add_sizes)
        if with_cuts:
            yield from each(pool.map(work.find_cuts, boxes), cuts.add)
        one = cuts.one(seeds.count, 255 * work.rule.boundary_threshold)
        final = self._number(one, first_id)
        table = pool.table(final)
        numbers = yield from self._numbers(partial(work.count_gaps, final=table), boxes, gaps, each)
        find = partial(work.find_gaps, final=table, above=seeds.count)
        yield from each(pool.map(find, boxes, numbers), self._beside.append)
        yield from each(pool.map(partial(work.join, above=seeds.count), boxes), gaps.join)
        table = pool.table(np.concatenate([final[:-1], self._fill(gaps)]))
        for box in pool.write(partial(work.numbered, final=table), last, out):
            done += 1
            yield done, total, box

    def _numbers(
        self,
        count: Callable[[Box], int],
        boxes: Sequence[Box],
        pieces: Components,
        each: Callable[[Iterable[int], Callable[[int], None]], Passes],
    ) -> Generator[tuple[int, int, Box | None], None, Iterable[Callable[[int], int]]]:
        """Return what gives the pieces of each block their numbers.

        Threads of this process take the next ones as they come. Other processes are told: there
        the pieces of all blocks are counted first, which is done sooner than asking.
        """
        if not self._pool.remote:
            return [pieces.take] * len(boxes)
        counts: list[int] = []
        yield from each(self._pool.map(count, boxes), counts.append)
        return [Given(pieces.take(number)) for number in counts]

    def _add_sizes(self, found: tuple[NDArray[np.uint32], NDArray[np.int64]]) -> None:
        objects, sizes = found
        self._sizes[objects] += sizes

    def _number(self, one: NDArray[np.uint32], first_id: int) -> NDArray[np.uint32]:
        """Return a table of the final id of each seed.

        Parameters
        ----------
        one
            For each seed the smallest seed of the object that it is part of, see `Cuts.one`.
        first_id
            The smallest final id.

        Returns
        -------
        uint32 (number of seeds + 2,)
            The final ids by the number of the seed, 0 for objects that are too small. One more 0
            stands at the end, for all numbers beyond, which are gaps.
        """
        first = np.full(self._sizes.size + 1, np.iinfo(np.int64).max)
        for offset, positions in self._first:
            first[offset + 1 : offset + 1 + positions.size] = positions
        np.minimum.at(first, one.take(self._roots).astype(np.intp), first[:-1])
        sizes = np.zeros_like(self._sizes)
        np.add.at(sizes, one.astype(np.intp), self._sizes)
        kept = 1 + np.flatnonzero(sizes[1:] >= max(self._work.rule.min_size, 1))
        kept = kept[np.argsort(first[kept])]
        final = np.zeros(first.size, np.uint32)
        final[kept] = np.arange(first_id, first_id + kept.size)
        final[:-1] = final.take(one)
        return final

    def _fill(self, gaps: Components) -> NDArray[np.uint32]:
        """Return for each gap, from 1, the id of the one object that encloses it, else 0."""
        lowest = np.full(gaps.count + 1, 2**32 - 1, np.uint32)
        highest = np.zeros(gaps.count + 1, np.uint32)
        for offset, low, high in self._beside:
            lowest[offset + 1 : offset + 1 + low.size] = low
            highest[offset + 1 : offset + 1 + high.size] = high
        roots = gaps.roots().astype(np.intp)
        np.minimum.at(lowest, roots, lowest)
        np.maximum.at(highest, roots, highest)
        owners = np.where(lowest == highest, highest, np.uint32(0))
        return owners[roots[1:]]
