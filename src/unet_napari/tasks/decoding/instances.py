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

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.geometry import Box
from unet_napari.tasks.decoding.blocks import (
    block_shape,
    cover,
    in_threads,
)
from unet_napari.tasks.decoding.components import Components, changes, touching
from unet_napari.tasks.decoding.cuts import Cuts
from unet_napari.tasks.decoding.flood import UNKNOWN, flood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from unet_napari.tasks.decoding.blocks import Blocks, BoxTarget, Passes, Store
    from unet_napari.tasks.decoding.decode import CellRule

__all__ = ["BYTES_PER_VOXEL", "Instances"]

# Largest number of seeds, and of gaps. The ids of gaps lie above those of all seeds in one array
# of 32 bits, so each kind may have half of the numbers.
_MOST_PIECES = 2**31 - 1
# Surroundings that a block is flooded with at first, in pixels on each side, and the factor by
# which they grow where they do not suffice.
_FIRST_CONTEXT, _CONTEXT_GROWTH = 8, 4
BYTES_PER_VOXEL = 50
"""Memory that a thread takes at its peak for every voxel that it floods, at most."""
# Number of times that the work goes over all blocks; it is one more where cuts are looked at.
_PASSES = 6


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
        self._rule, self._maps, self._ids = rule, maps, ids
        self._shape = ids.shape
        self._blocks = blocks
        self._lock = Lock()

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
        voxels, threads = self._blocks.voxels, self._blocks.threads
        whole = Box.whole(self._shape)
        boxes = whole.blocks(block_shape(self._shape, voxels))
        last = whole.blocks(block_shape(self._shape, voxels, self._blocks.unit))
        with_cuts = self._rule.boundary_threshold > 0
        total = (_PASSES - 1 + with_cuts) * len(boxes) + len(last)
        done = 0

        # A pass begins when the one before is through with all blocks: it reads across the faces.
        def each(function: Callable[[Box], None]) -> Iterator[tuple[int, int, None]]:
            nonlocal done
            for _ in in_threads(function, boxes, threads):
                done += 1
                yield done, total, None

        self._seeds = Components(_MOST_PIECES)
        self._first: list[tuple[int, NDArray[np.int64]]] = []
        yield from each(self._find_seeds)
        yield from each(lambda box: self._seeds.join(self._ids, box))
        self._roots = self._seeds.roots()
        self._sizes = np.zeros(self._seeds.count + 1, np.int64)
        yield from each(self._flood)
        self._cuts = Cuts()
        if with_cuts:
            yield from each(self._note_cuts)
        one = self._cuts.one(self._seeds.count, 255 * self._rule.boundary_threshold)
        self._final = self._number(one, first_id)
        self._gaps = Components(_MOST_PIECES)
        self._beside: list[tuple[int, NDArray[np.uint32], NDArray[np.uint32]]] = []
        yield from each(self._find_gaps)
        yield from each(lambda box: self._gaps.join(self._ids, box, above=self._seeds.count))
        self._final = np.concatenate([self._final[:-1], self._fill()])
        results = in_threads(
            lambda box: self._final.take(self._ids[box.to_slices()]), last, threads
        )
        for box, labels in zip(last, results, strict=True):
            out[box.to_slices()] = labels
            done += 1
            yield done, total, box

    def _find_seeds(self, box: Box) -> None:
        """Give the seeds of a block numbers, and note where each begins in the whole array."""
        seeds = self._rule.seeds(self._maps[(slice(None), *box.to_slices())])
        labels, count, offset = self._seeds.label(seeds)
        self._ids[box.to_slices()] = labels + np.uint32(offset) * seeds
        # Only a pixel at which a row of its seed begins can be the first of that seed.
        seeds[..., 1:] &= ~seeds[..., :-1]
        positions = np.flatnonzero(seeds)[::-1]
        first = np.empty(count, np.int64)
        # NumPy keeps the last of several assignments, which is the lowest position here.
        first[labels.take(positions) - 1] = positions
        corner = np.unravel_index(first, labels.shape)
        starts = [c + start for c, start in zip(corner, box.start, strict=True)]
        with self._lock:
            self._first.append((offset, np.ravel_multi_index(starts, self._shape)))

    def _flood(self, core: Box) -> None:
        """Flood a block, then the part of it that is in doubt with ever more surroundings.

        Where the surroundings would hold more voxels than may be flooded at a time, the part is
        flooded a last time as if the image ended with them, so its labels may depend on the blocks.
        """
        result = np.full(core.shape, UNKNOWN)
        # With `doubt`, pixels that something beyond the surroundings may reach stay unknown.
        pieces, context, doubt = [core], _FIRST_CONTEXT, True
        while pieces:
            for piece in pieces:
                outer = piece.grow(context).clip(self._shape)
                flooded = self._flooded(outer, doubt=doubt)
                labels = flooded[piece.to_slices(outer)]
                part = result[piece.to_slices(core)]
                # A label that is known is final, and boxes around doubtful pixels hold others, too.
                np.copyto(part, labels, where=part == UNKNOWN)
            doubtful = np.argwhere(result == UNKNOWN) + core.start
            least, context = context, _CONTEXT_GROWTH * context
            while True:
                pieces = cover(doubtful, context, self._shape)
                if context == least or self._affordable(pieces, context):
                    break
                # There is no memory for so much: the next round is the last, with what there is.
                context, doubt = context // 2, False
        self._ids[core.to_slices()] = result
        # The pixels of each object are counted by runs of equal ids, of which there are few.
        starts = np.flatnonzero(changes(result.ravel()))
        lengths = np.diff(starts, append=result.size)
        with self._lock:
            np.add.at(self._sizes, result.take(starts).astype(np.intp), lengths)

    def _affordable(self, pieces: Sequence[Box], context: int) -> bool:
        """Tell whether some boxes with their surroundings may be flooded at a time."""
        voxels = sum(piece.grow(context).clip(self._shape).size for piece in pieces)
        return voxels <= self._blocks.largest

    def _flooded(self, outer: Box, *, doubt: bool) -> NDArray[np.uint32]:
        """Return the labels of a box, flooded by itself.

        With `doubt`, the sides of the box at which the image goes on are open, see `flood`.
        """
        maps = self._maps[(slice(None), *outer.to_slices())]
        # Other threads may have flooded parts of this box already, and their labels are left out
        # here. A pixel of a seed holds the number of its seed, or after flooding that of its
        # object; `roots` leads from both to the object.
        seeds = self._roots.take(self._ids[outer.to_slices()] * self._rule.seeds(maps))
        sides = [
            (doubt and start > 0, doubt and stop < size)
            for (start, stop), size in zip(outer.spans, self._shape, strict=True)
        ]
        return flood(self._rule.relief(maps), self._rule.mask(maps), seeds, sides)

    def _note_cuts(self, box: Box) -> None:
        """Look at the boundary between objects that touch in a block or across its far faces."""
        outer = Box(box.start, tuple(stop + 1 for stop in box.stop)).clip(self._shape)
        index = outer.to_slices()
        (boundary,) = self._maps[(slice(1, 2), *index)]
        self._cuts.note(self._ids[index], boundary, box.shape)

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
        first = np.full(self._seeds.count + 2, np.iinfo(np.int64).max)
        for offset, positions in self._first:
            first[offset + 1 : offset + 1 + positions.size] = positions
        np.minimum.at(first, one.take(self._roots).astype(np.intp), first[:-1])
        sizes = np.zeros_like(self._sizes)
        np.add.at(sizes, one.astype(np.intp), self._sizes)
        kept = 1 + np.flatnonzero(sizes[1:] >= max(self._rule.min_size, 1))
        kept = kept[np.argsort(first[kept])]
        final = np.zeros(first.size, np.uint32)
        final[kept] = np.arange(first_id, first_id + kept.size)
        final[:-1] = final.take(one)
        return final

    def _numbered(self, box: Box) -> NDArray[np.uint32]:
        """Return the final ids of a block."""
        return self._final.take(self._ids[box.to_slices()])

    def _find_gaps(self, box: Box) -> None:
        """Give the gaps of a block numbers, and note the lowest and highest object beside each."""
        outer = box.grow(1).clip(self._shape)
        stored = self._ids[outer.to_slices()]
        # Other threads may have written gaps around this block already. Their numbers lie above
        # those of all seeds, and `clip` picks the last entry of the table for them, which is 0.
        objects = self._final.take(stored, mode="clip")
        inside = box.to_slices(outer)
        labels, count, offset = self._gaps.label(objects[inside] == 0)
        gaps = np.zeros_like(objects)
        gaps[inside] = labels
        # A gap touches one object alone exactly where the lowest and the highest are the same.
        lowest = np.full(count + 1, 2**32 - 1, np.uint32)
        highest = np.zeros(count + 1, np.uint32)
        gap, beside = touching(gaps, objects)
        np.minimum.at(lowest, gap.astype(np.intp), beside)
        np.maximum.at(highest, gap.astype(np.intp), beside)
        for axis, ((start, stop), size) in enumerate(zip(box.spans, self._shape, strict=True)):
            for end, at_border in ((0, start == 0), (-1, stop == size)):
                if at_border:
                    # Beyond the border the gap may go on, so it is no hole: no object has the id 0.
                    lowest[labels.take(end, axis)] = 0
        above = np.uint32(self._seeds.count + offset)
        self._ids[box.to_slices()] = np.where(labels > 0, labels + above, stored[inside])
        with self._lock:
            self._beside.append((offset, lowest[1:], highest[1:]))

    def _fill(self) -> NDArray[np.uint32]:
        """Return for each gap, from 1, the id of the one object that encloses it, else 0."""
        lowest = np.full(self._gaps.count + 1, 2**32 - 1, np.uint32)
        highest = np.zeros(self._gaps.count + 1, np.uint32)
        for offset, low, high in self._beside:
            lowest[offset + 1 : offset + 1 + low.size] = low
            highest[offset + 1 : offset + 1 + high.size] = high
        roots = self._gaps.roots().astype(np.intp)
        np.minimum.at(lowest, roots, lowest)
        np.maximum.at(highest, roots, highest)
        owners = np.where(lowest == highest, highest, np.uint32(0))
        return owners[roots[1:]]
