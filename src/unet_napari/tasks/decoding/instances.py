"""From maps to objects, block by block, with the result of doing it all at once. No torch.

1. Seeds: each block numbers its own; those that touch across a face become one.
2. Flood: every block with some of its surroundings. Where these do not suffice to be sure,
   the doubtful part is done again with more of them.
3. Cuts, where the rule asks for it: objects between which there is hardly a boundary are one.
4. Gaps, what is no object: numbered and joined like the seeds, with the objects they touch.
5. Result: small objects dropped, holes filled, ids 1, 2, ... in the order in which the objects
   begin in the array.
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

# Together they and the ids of gaps, which lie above them, fit into 32 bits.
_MOST = 2**31 - 1
# Surroundings at first, in pixels, and how many times more where they do not suffice.
_CONTEXT, _MORE = 8, 4
BYTES_PER_VOXEL = 50
"""What a thread takes at its peak for every voxel that it floods, at most."""
_PASSES = 6  # over all blocks; one more where cuts are looked at


class Instances:
    """Finds the objects of an image in blocks.

    Parameters
    ----------
    rule
        Where cells are.
    maps
        Packed maps, uint8 ``(3, *S)``.
    ids
        Scratch, uint32 ``(*S)``; whatever it holds is overwritten.
    blocks
        Their size.
    """

    def __init__(self, rule: CellRule, maps: Store, ids: Store, blocks: Blocks) -> None:
        self._rule, self._maps, self._ids = rule, maps, ids
        self._shape = ids.shape
        self._blocks = blocks
        self._lock = Lock()

    def run(self, out: BoxTarget, first_id: int = 1) -> Passes:
        """Find the objects; stop by no longer asking.

        Parameters
        ----------
        out
            uint32 ``(*S)``; every pixel is written once.
        first_id
            The smallest id that is given.

        Yields
        ------
        done, total : int
            Blocks worked on so far and in all.
        box : Box or None
            What has been written into `out`.
        """
        voxels, threads = self._blocks.voxels, self._blocks.threads
        whole = Box.whole(self._shape)
        boxes = whole.blocks(block_shape(self._shape, voxels))
        last = whole.blocks(block_shape(self._shape, voxels, self._blocks.unit))
        with_cuts = self._rule.boundary_threshold > 0
        total = (_PASSES - 1 + with_cuts) * len(boxes) + len(last)
        done = 0

        def each(function: Callable[[Box], None]) -> Iterator[tuple[int, int, None]]:
            nonlocal done
            for _ in in_threads(function, boxes, threads):
                done += 1
                yield done, total, None

        self._seeds = Components(_MOST)
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
        self._gaps = Components(_MOST)
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
        seeds = self._rule.seeds(self._maps[(slice(None), *box.to_slices())])
        labels, count, offset = self._seeds.label(seeds)
        self._ids[box.to_slices()] = labels + np.uint32(offset) * seeds
        # The first pixel of each, as its position in the whole array.
        seeds[..., 1:] &= ~seeds[..., :-1]
        positions = np.flatnonzero(seeds)[::-1]
        first = np.empty(count, np.int64)
        first[labels.take(positions) - 1] = positions  # the last assignment stays
        corner = np.unravel_index(first, labels.shape)
        starts = [c + start for c, start in zip(corner, box.start, strict=True)]
        with self._lock:
            self._first.append((offset, np.ravel_multi_index(starts, self._shape)))

    def _flood(self, core: Box) -> None:
        """Flood a block, then what is left in doubt with ever more of its surroundings.

        Where they would be more than may be flooded at a time, the doubt is put up with.
        """
        result = np.full(core.shape, UNKNOWN)
        pieces, context, doubt = [core], _CONTEXT, True
        while pieces:
            for piece in pieces:
                outer = piece.grow(context).clip(self._shape)
                flooded = self._flooded(outer, doubt=doubt)
                labels = flooded[piece.to_slices(outer)]
                part = result[piece.to_slices(core)]
                np.copyto(part, labels, where=part == UNKNOWN)
            doubtful = np.argwhere(result == UNKNOWN) + core.start
            least, context = context, _MORE * context
            while True:
                pieces = cover(doubtful, context, self._shape)
                if context == least or self._affordable(pieces, context):
                    break
                context, doubt = context // 2, False
        self._ids[core.to_slices()] = result
        starts = np.flatnonzero(changes(result.ravel()))
        lengths = np.diff(starts, append=result.size)
        with self._lock:
            np.add.at(self._sizes, result.take(starts).astype(np.intp), lengths)

    def _affordable(self, pieces: Sequence[Box], context: int) -> bool:
        voxels = sum(piece.grow(context).clip(self._shape).size for piece in pieces)
        return voxels <= self._blocks.largest

    def _flooded(self, outer: Box, *, doubt: bool) -> NDArray[np.uint32]:
        maps = self._maps[(slice(None), *outer.to_slices())]
        seeds = self._roots.take(self._ids[outer.to_slices()] * self._rule.seeds(maps))
        sides = [
            (doubt and start > 0, doubt and stop < size)
            for (start, stop), size in zip(outer.spans, self._shape, strict=True)
        ]
        return flood(self._rule.relief(maps), self._rule.mask(maps), seeds, sides)

    def _note_cuts(self, box: Box) -> None:
        outer = Box(box.start, tuple(stop + 1 for stop in box.stop)).clip(self._shape)
        index = outer.to_slices()
        (boundary,) = self._maps[(slice(1, 2), *index)]
        self._cuts.note(self._ids[index], boundary, box.shape)

    def _number(self, one: NDArray[np.uint32], first_id: int) -> NDArray[np.uint32]:
        """Return the final id of each root, 0 for small ones; one more 0 for what is no root.

        Of roots that are `one` the smallest stands for all.
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
        outer = box.grow(1).clip(self._shape)
        # Others write gaps, whose numbers are above all roots, into what surrounds this block.
        stored = self._ids[outer.to_slices()]
        objects = self._final.take(stored, mode="clip")
        inside = box.to_slices(outer)
        labels, count, offset = self._gaps.label(objects[inside] == 0)
        gaps = np.zeros_like(objects)
        gaps[inside] = labels
        lowest = np.full(count + 1, 2**32 - 1, np.uint32)
        highest = np.zeros(count + 1, np.uint32)
        gap, beside = touching(gaps, objects)
        np.minimum.at(lowest, gap.astype(np.intp), beside)
        np.maximum.at(highest, gap.astype(np.intp), beside)
        for axis, ((start, stop), size) in enumerate(zip(box.spans, self._shape, strict=True)):
            for end, at_border in ((0, start == 0), (-1, stop == size)):
                if at_border:  # open to what lies beyond the image
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
