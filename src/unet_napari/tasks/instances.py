"""From maps to objects, block by block, with the result of doing it all at once. No torch.

1. Seeds: each block numbers its own; those that touch across a face become one.
2. Flood: every block with some of its surroundings. Where these do not suffice to be sure,
   the doubtful part is done again with more of them.
3. Gaps, what is no object: numbered and joined like the seeds, with the objects they touch.
4. Result: small objects dropped, holes filled, ids 1, 2, ... in the order in which the objects
   begin in the array.

Nothing is ever merged after the flood: a seed is an object, whatever its size.
"""

from __future__ import annotations

import math
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.tasks.blocks import block_shape, cut, grow, in_threads, within
from unet_napari.tasks.components import Components, neighbours
from unet_napari.tasks.flood import UNKNOWN, flood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from unet_napari.tasks.blocks import Blocks, Box, Passes, Store, Target
    from unet_napari.tasks.decode import CellRule

__all__ = ["BYTES_PER_VOXEL", "Instances"]

# Ids of gaps lie above those of objects in the same array.
_GAPS = 2**31 - 1
# Surroundings at first, in pixels; doubled where they do not suffice.
_CONTEXT = 16
BYTES_PER_VOXEL = 60
"""What a thread takes at its peak for every voxel that it floods."""
_PASSES = 4


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

    def run(self, out: Target, first_id: int = 1) -> Passes:
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
        box : tuple of slice or None
            What has been written into `out`.
        """
        voxels, threads = self._blocks.voxels, self._blocks.threads
        boxes = cut(self._shape, block_shape(self._shape, voxels))
        last = cut(self._shape, block_shape(self._shape, voxels, self._blocks.unit))
        total = (_PASSES - 1) * len(boxes) + len(last)
        done = 0

        def each(function: Callable[[Box], None]) -> Iterator[tuple[int, int, None]]:
            nonlocal done
            for _ in in_threads(function, boxes, threads):
                done += 1
                yield done, total, None

        self._seeds = Components(_GAPS)
        self._first: list[tuple[int, NDArray[np.int64]]] = []
        yield from each(self._find_seeds)
        for box in boxes:
            self._seeds.join(self._ids, box)
        self._roots = self._seeds.roots()
        self._sizes = np.zeros(self._seeds.count + 1, np.int64)
        yield from each(self._flood)
        self._final = self._number(first_id)
        self._gaps = Components(_GAPS)
        self._beside: list[tuple[int, NDArray[np.int64], NDArray[np.int64]]] = []
        yield from each(self._find_gaps)
        for box in boxes:
            self._gaps.join(self._ids, box, marked=_GAPS)
        self._owners = self._fill()
        results = in_threads(self._result, last, threads)
        for box, labels in zip(last, results, strict=True):
            out[box] = labels
            done += 1
            yield done, total, box

    def _find_seeds(self, box: Box) -> None:
        seeds = self._rule.seeds(self._maps[(slice(None), *box)])
        labels, count, offset = self._seeds.label(seeds)
        self._ids[box] = labels
        # The first pixel of each, as its position in the whole array: the last assignment stays.
        positions = np.flatnonzero(seeds)[::-1]
        first = np.zeros(count, np.int64)
        first[labels.flat[positions] - np.uint32(offset + 1)] = positions
        corner = np.unravel_index(first, labels.shape)
        starts = [c + s.start for c, s in zip(corner, box, strict=True)]
        with self._lock:
            self._first.append((offset, np.ravel_multi_index(starts, self._shape)))

    def _flood(self, core: Box) -> None:
        """Flood a block, then what is left in doubt with ever more of its surroundings.

        Where they would be more than may be flooded at once, the doubt is put up with.
        """
        result = np.full([s.stop - s.start for s in core], UNKNOWN)
        todo, context = core, _CONTEXT
        while True:
            outer = grow(todo, context, self._shape)
            labels = self._flooded(outer, doubt=True)
            doubtful = self._take(result, core, todo, labels[within(todo, outer)])
            if doubtful is None:
                break
            wider = grow(doubtful, 2 * context, self._shape)
            if math.prod(s.stop - s.start for s in wider) > self._blocks.largest:
                labels = self._flooded(outer, doubt=False)
                self._take(result, core, todo, labels[within(todo, outer)])
                break
            todo, context = doubtful, 2 * context
        self._ids[core] = result
        found = result[result > 0]
        if found.size:
            low = int(found.min())
            sizes = np.bincount(found - low)
            with self._lock:
                self._sizes[low : low + sizes.size] += sizes

    def _flooded(self, outer: Box, *, doubt: bool) -> NDArray[np.uint32]:
        maps = self._maps[(slice(None), *outer)]
        seeds = np.where(self._rule.seeds(maps), self._ids[outer], 0)
        sides = [
            (doubt and s.start > 0, doubt and s.stop < size)
            for s, size in zip(outer, self._shape, strict=True)
        ]
        return flood(self._rule.relief(maps), self._rule.mask(maps), self._roots[seeds], sides)

    @staticmethod
    def _take(
        result: NDArray[np.uint32], core: Box, box: Box, labels: NDArray[np.uint32]
    ) -> Box | None:
        """Replace unknown ids of a box of the core; return the box of those that stay unknown."""
        part = result[within(box, core)]
        np.copyto(part, labels, where=part == UNKNOWN)
        left = np.nonzero(result == UNKNOWN)
        if not left[0].size:
            return None
        return tuple(
            slice(s.start + int(i.min()), s.start + int(i.max()) + 1)
            for s, i in zip(core, left, strict=True)
        )

    def _number(self, first_id: int) -> NDArray[np.uint32]:
        """Return the final id of each root, 0 for small ones."""
        first = np.full(self._seeds.count + 1, np.iinfo(np.int64).max)
        for offset, positions in self._first:
            first[offset + 1 : offset + 1 + positions.size] = positions
        np.minimum.at(first, self._roots, first)
        kept = np.flatnonzero(self._sizes >= max(self._rule.min_size, 1))
        kept = kept[np.argsort(first[kept])]
        final = np.zeros(first.size, np.uint32)
        final[kept] = np.arange(first_id, first_id + kept.size)
        return final

    def _find_gaps(self, box: Box) -> None:
        outer = grow(box, 1, self._shape)
        stored = np.array(self._ids[outer])  # a copy, as others write gaps into it
        objects = self._objects(stored)
        inside = within(box, outer)
        core = objects[inside]
        labels, count, offset = self._gaps.label(core == 0)
        gaps = np.zeros_like(objects)
        gaps[inside] = labels
        lowest = np.full(count + 1, np.iinfo(np.int64).max)
        highest = np.zeros(count + 1, np.int64)
        for gap, beside in neighbours(gaps, objects):
            np.minimum.at(lowest, gap - np.uint32(offset), beside)
            np.maximum.at(highest, gap - np.uint32(offset), beside)
        for axis, (side, size) in enumerate(zip(box, self._shape, strict=True)):
            for end, at_border in ((0, side.start == 0), (-1, side.stop == size)):
                if at_border:  # open to what lies beyond the image
                    edge: NDArray[np.uint32] = np.asarray(labels.take(end, axis))
                    lowest[edge[edge > 0] - np.uint32(offset)] = 0
        self._ids[box] = np.where(labels > 0, labels + np.uint32(_GAPS), stored[inside])
        with self._lock:
            self._beside.append((offset, lowest[1:], highest[1:]))

    def _objects(self, stored: NDArray[np.uint32]) -> NDArray[np.uint32]:
        objects: NDArray[np.uint32] = self._final[np.where(stored > _GAPS, 0, stored)]
        return objects

    def _fill(self) -> NDArray[np.uint32]:
        """Return for each gap the id of the one object that encloses it, else 0."""
        lowest = np.full(self._gaps.count + 1, np.iinfo(np.int64).max)
        highest = np.zeros(self._gaps.count + 1, np.int64)
        for offset, low, high in self._beside:
            lowest[offset + 1 : offset + 1 + low.size] = low
            highest[offset + 1 : offset + 1 + high.size] = high
        roots = self._gaps.roots()
        np.minimum.at(lowest, roots, lowest)
        np.maximum.at(highest, roots, highest)
        owners: NDArray[np.uint32] = np.where(lowest == highest, highest, 0).astype(np.uint32)
        return np.asarray(owners[roots])

    def _result(self, box: Box) -> NDArray[np.uint32]:
        stored = self._ids[box]
        labels = self._objects(stored)
        gaps = stored > _GAPS
        labels[gaps] = self._owners[stored[gaps] - np.uint32(_GAPS)]
        return labels
