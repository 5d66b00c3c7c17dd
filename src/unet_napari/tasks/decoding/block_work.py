"""What is done with one block of an image on the way from maps to objects. No torch.

Each function reads what the passes before have written, writes its own block, and returns what
the whole image has to know of it; it changes nothing else. So blocks may be worked on in several
threads or processes, and a block that was begun may be done again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.geometry import Box
from unet_napari.tasks.decoding.blocks import cover
from unet_napari.tasks.decoding.components import changes, labelled, pairs_across, touching
from unet_napari.tasks.decoding.cuts import cuts_within
from unet_napari.tasks.decoding.flood import UNKNOWN, flood

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from unet_napari.tasks.decoding.blocks import LookUp, Store
    from unet_napari.tasks.decoding.decode import CellRule

__all__ = ["BlockWork"]

# Surroundings that a block is flooded with at first, in pixels on each side, and the factor by
# which they grow where they do not suffice.
_FIRST_CONTEXT, _CONTEXT_GROWTH = 8, 4


@dataclass(frozen=True)
class BlockWork:
    """The work on one block, for every pass of `unet_napari.tasks.decoding.instances.Instances`.

    Parameters
    ----------
    rule
        The rule that says where cells are.
    maps
        Packed maps, uint8 ``(3, *S)``.
    ids
        Room for the work, uint32 ``(*S)``. It holds numbers of seeds first, then those of the
        flooded objects, and at last those of gaps, too.
    largest
        Largest number of voxels that are flooded at a time.
    """

    rule: CellRule
    maps: Store
    ids: Store
    largest: int

    def count_seeds(self, box: Box) -> int:
        """Return how many seeds a block has."""
        return labelled(self._seeds(box))[1]

    def find_seeds(self, box: Box, number: Callable[[int], int]) -> tuple[int, NDArray[np.int64]]:
        """Give the seeds of a block numbers, and tell where each begins in the whole array.

        Parameters
        ----------
        box
            The block.
        number
            Returns, given how many there are, what to add to 1, 2, ...

        Returns
        -------
        offset : int
            What was added.
        first : int64 (number of seeds,)
            Position of the first pixel of each seed.
        """
        seeds = self._seeds(box)
        labels, count = labelled(seeds)
        offset = number(count)
        self.ids[box.to_slices()] = labels + np.uint32(offset) * seeds
        # Only a pixel at which a row of its seed begins can be the first of that seed.
        seeds[..., 1:] &= ~seeds[..., :-1]
        positions = np.flatnonzero(seeds)[::-1]
        first = np.empty(count, np.int64)
        # NumPy keeps the last of several assignments, which is the lowest position here.
        first[labels.take(positions) - 1] = positions
        corner = np.unravel_index(first, labels.shape)
        starts = [c + start for c, start in zip(corner, box.start, strict=True)]
        return offset, np.ravel_multi_index(starts, self.ids.shape)

    def join(self, box: Box, above: int = 0) -> NDArray[np.uint64]:
        """Return which pieces of a block go on in the blocks before, see `pairs_across`."""
        return pairs_across(self.ids, box, above)

    def flood(self, core: Box, roots: LookUp) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Flood a block, then the part of it that is in doubt with ever more surroundings.

        Where the surroundings would hold more voxels than may be flooded at a time, the part is
        flooded a last time as if the image ended with them, so its labels may depend on the blocks.

        Returns
        -------
        objects : uint32 (N,)
            The objects in the block, 0 among them.
        sizes : int64 (N,)
            Number of pixels of each, in the block.
        """
        shape = self.ids.shape
        result = np.full(core.shape, UNKNOWN)
        # With `doubt`, pixels that something beyond the surroundings may reach stay unknown.
        pieces, context, doubt = [core], _FIRST_CONTEXT, True
        while pieces:
            for piece in pieces:
                outer = piece.grow(context).clip(shape)
                flooded = self._flooded(outer, roots, doubt=doubt)
                labels = flooded[piece.to_slices(outer)]
                part = result[piece.to_slices(core)]
                # A label that is known is final, and boxes around doubtful pixels hold others, too.
                np.copyto(part, labels, where=part == UNKNOWN)
            doubtful = np.argwhere(result == UNKNOWN) + core.start
            least, context = context, _CONTEXT_GROWTH * context
            while True:
                pieces = cover(doubtful, context, shape)
                if context == least or self._affordable(pieces, context):
                    break
                # There is no memory for so much: the next round is the last, with what there is.
                context, doubt = context // 2, False
        self.ids[core.to_slices()] = result
        return _sizes(result)

    def find_cuts(self, box: Box) -> NDArray[np.int64]:
        """Return the cuts between objects that touch in a block or across its far faces."""
        outer = Box(box.start, tuple(stop + 1 for stop in box.stop)).clip(self.ids.shape)
        index = outer.to_slices()
        (boundary,) = self.maps[(slice(1, 2), *index)]
        return cuts_within(self.ids[index], boundary, box.shape)

    def count_gaps(self, box: Box, final: LookUp) -> int:
        """Return how many gaps a block has; see `find_gaps`."""
        return labelled(final.take(self.ids[box.to_slices()], mode="clip") == 0)[1]

    def find_gaps(
        self, box: Box, number: Callable[[int], int], final: LookUp, above: int
    ) -> tuple[int, NDArray[np.uint32], NDArray[np.uint32]]:
        """Give the gaps of a block numbers, and tell the lowest and highest object beside each.

        Parameters
        ----------
        box, number
            See `find_seeds`.
        final
            The final id of each object, with a last entry of 0.
        above
            The highest number of a seed; those of gaps lie above it.

        Returns
        -------
        offset : int
            What `number` returned.
        lowest, highest : uint32 (number of gaps,)
            For each gap the lowest and the highest final id beside it.
        """
        shape = self.ids.shape
        outer = box.grow(1).clip(shape)
        stored = self.ids[outer.to_slices()]
        # Others may have written gaps around this block already. Their numbers lie above those
        # of all seeds, and `clip` picks the last entry of the table for them, which is 0.
        objects = final.take(stored, mode="clip")
        inside = box.to_slices(outer)
        labels, count = labelled(objects[inside] == 0)
        offset = number(count)
        gaps = np.zeros_like(objects)
        gaps[inside] = labels
        # A gap touches one object alone exactly where the lowest and the highest are the same.
        lowest = np.full(count + 1, 2**32 - 1, np.uint32)
        highest = np.zeros(count + 1, np.uint32)
        gap, beside = touching(gaps, objects)
        np.minimum.at(lowest, gap.astype(np.intp), beside)
        np.maximum.at(highest, gap.astype(np.intp), beside)
        for axis, ((start, stop), size) in enumerate(zip(box.spans, shape, strict=True)):
            for end, at_border in ((0, start == 0), (-1, stop == size)):
                if at_border:
                    # Beyond the border the gap may go on, so it is no hole: no object has the id 0.
                    lowest[labels.take(end, axis)] = 0
        numbers = labels + np.uint32(above + offset)
        self.ids[box.to_slices()] = np.where(labels > 0, numbers, stored[inside])
        return offset, lowest[1:], highest[1:]

    def numbered(self, box: Box, final: LookUp) -> NDArray[np.uint32]:
        """Return the final ids of a block."""
        return final.take(self.ids[box.to_slices()])

    def _seeds(self, box: Box) -> NDArray[np.bool_]:
        return self.rule.seeds(self.maps[(slice(None), *box.to_slices())])

    def _affordable(self, pieces: Sequence[Box], context: int) -> bool:
        """Tell whether some boxes with their surroundings may be flooded at a time."""
        voxels = sum(piece.grow(context).clip(self.ids.shape).size for piece in pieces)
        return voxels <= self.largest

    def _flooded(self, outer: Box, roots: LookUp, *, doubt: bool) -> NDArray[np.uint32]:
        """Return the labels of a box, flooded by itself.

        With `doubt`, the sides of the box at which the image goes on are open, see `flood`.
        """
        maps = self.maps[(slice(None), *outer.to_slices())]
        # Others may have flooded parts of this box already, and their labels are left out here.
        # A pixel of a seed holds the number of its seed, or after flooding that of its object;
        # `roots` leads from both to the object.
        seeds = roots.take(self.ids[outer.to_slices()] * self.rule.seeds(maps))
        sides = [
            (doubt and start > 0, doubt and stop < size)
            for (start, stop), size in zip(outer.spans, self.ids.shape, strict=True)
        ]
        return flood(self.rule.relief(maps), self.rule.mask(maps), seeds, sides)


def _sizes(ids: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the values of an array and how often each occurs."""
    # They are counted by runs of equal ids, of which there are few. A run in a single number of
    # 64 bits, id before length, is sorted much faster than two columns.
    starts = np.flatnonzero(changes(ids.ravel()))
    lengths = np.diff(starts, append=ids.size).astype(np.uint64)
    runs = np.sort(ids.take(starts).astype(np.uint64) << np.uint64(32) | lengths)
    values, lengths = runs >> np.uint64(32), runs & np.uint64(2**32 - 1)
    first = np.flatnonzero(changes(values))
    return values[first].astype(np.uint32), np.add.reduceat(lengths, first).astype(np.int64)
