"""What is gathered of one view: its objects, the cuts between them, and how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.geometry import Box
from unet_napari.inference.doubt.overlaps import Overlaps
from unet_napari.inference.doubt.shape_sums import ShapeSums
from unet_napari.tasks.decoding.blocks import block_shape
from unet_napari.tasks.decoding.cuts import Cuts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.images import LazyArray
    from unet_napari.inference.doubt.overlaps import Fate
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.storage.scratch import Room

__all__ = ["LabelStore", "Settled", "ViewFacts", "blocks_of"]

_VOXELS = 2**20  # pixels that are looked at at a time


class LabelStore:
    """Room for the labels of all views, in memory or on disk, that decoding can write to.

    Parameters
    ----------
    room
        Room that holds the labels.
    shape
        Shape of the result.
    leading
        Number of its axes that are not those of a view.
    """

    def __init__(self, room: Room, shape: tuple[int, ...], leading: int) -> None:
        self.shape = shape
        self.dtype = np.dtype(np.uint32)
        self._store = room.array(shape, np.uint32, rows=leading)

    def __setitem__(self, key: Any, labels: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        """Write a part, selected by numbers and slices, or all of it."""
        self._store[_as_slices(key)] = labels

    def part(self, index: tuple[int, ...], box: Box) -> NDArray[np.uint32]:
        """Return a part of one view."""
        part = self._store[box.prepend(index).to_slices()]
        return np.asarray(part).reshape(box.shape)


def _as_slices(key: Any) -> tuple[slice, ...]:  # noqa: ANN401  as NumPy has it
    if key is Ellipsis:
        return ()
    parts = key if isinstance(key, tuple) else (key,)
    return tuple(p if isinstance(p, slice) else slice(int(p), int(p) + 1) for p in parts)


class Settled:
    """What is painted: the numbers of cells, and where something is said at all.

    Parameters
    ----------
    painted
        Labels in the shape of the result.
    background
        The number among them that means background.
    """

    def __init__(self, painted: LazyArray, background: int | None) -> None:
        self._painted, self._background = painted, background

    def part(self, index: tuple[int, ...], box: Box) -> NDArray[np.integer]:
        """Return what is painted in a part of one view."""
        return np.asarray(self._painted[(*index, *box.to_slices())])

    def cells(self, index: tuple[int, ...], box: Box) -> NDArray[np.integer]:
        """Return the painted cells in a part of one view, without what means background."""
        part = self.part(index, box)
        return part if self._background is None else np.where(part == self._background, 0, part)


class ViewFacts:
    """What is gathered of the objects of one view, block by block.

    Parameters
    ----------
    kept
        The maps.
    position, index
        Number of the view, and its place along the leading axes of the result.
    base
        The labels.
    settled
        What is painted.
    """

    def __init__(
        self,
        kept: KeptMaps,
        position: int,
        index: tuple[int, ...],
        base: LabelStore,
        settled: Settled | None,
    ) -> None:
        self.index, self.shape = index, base.shape[len(index) :]
        self._kept, self._position = kept, position
        self._base, self._settled = base, settled
        self.cuts = Cuts()
        self._fates: list[Fate] = []
        self._highest = 0
        self.sums = ShapeSums(0, self.shape)

    def labels(self, box: Box) -> NDArray[np.uint32]:
        """Return the labels of a part."""
        return self._base.part(self.index, box)

    def numbers_in(self, box: Box | None) -> NDArray[np.bool_]:
        """Return a mask of the numbers of the objects that a part of the result holds pixels of.

        Parameters
        ----------
        box
            The part, along all axes of the result; None for all of it.
        """
        if box is None:
            return self.sums.size > 0
        there = np.zeros(self.sums.size.size, bool)
        leading = box.spans[: len(self.index)]
        if all(start <= at < stop for at, (start, stop) in zip(self.index, leading, strict=True)):
            inner = Box.from_spans(box.spans[len(self.index) :])
            parts = (block.intersect(inner) for block in blocks_of(self.shape))
            for part in parts:
                if not part.is_empty:
                    there[self.labels(part).ravel()] = True
        return there & (self.sums.size > 0)

    def look(self) -> None:
        """Gather sizes, shapes, maps and cuts."""
        boxes = list(blocks_of(self.shape))
        self._highest = max(int(self.labels(box).max(initial=0)) for box in boxes)
        self.sums = ShapeSums(self._highest, self.shape)
        for box in boxes:
            outer = Box(box.start, tuple(stop + 1 for stop in box.stop)).clip(self.shape)
            ids, maps = self.labels(outer), maps_at(self._kept, self._position, outer)
            own = box.to_slices(outer)
            painted = None if self._settled is None else self._settled.part(self.index, box) != 0
            self.sums.add(box, ids[own], maps[(slice(None), *own)], painted)
            self.cuts.note(ids, maps[1], box.shape)

    def compare(self, other: LabelStore) -> None:
        """Note what becomes of the objects in another segmentation."""
        overlaps = Overlaps()
        for box in blocks_of(self.shape):
            overlaps.add(self.labels(box), other.part(self.index, box))
        self._fates.append(overlaps.fate(self._highest))

    def fates(self) -> list[Fate]:
        """Return what has become of the objects in each of the other segmentations."""
        return self._fates


def blocks_of(shape: tuple[int, ...]) -> Iterator[Box]:
    """Yield the blocks that a view is looked at in."""
    yield from Box.whole(shape).blocks(block_shape(shape, _VOXELS))


def maps_at(kept: KeptMaps, position: int, box: Box) -> NDArray[np.uint8]:
    """Return the packed maps of a part of a view, one value for each pixel of the image."""
    maps, axes = kept.maps_of_part(position, box)
    return np.ascontiguousarray(maps[np.ix_(np.arange(len(maps)), *axes)])
