"""Painted cells that are predicted otherwise: perhaps mistakes in the labels. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unet_napari.geometry import Box
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject
from unet_napari.inference.doubt.overlaps import Overlaps
from unet_napari.inference.doubt.shape_sums import ShapeSums
from unet_napari.inference.doubt.view_facts import blocks_of, maps_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.inference.doubt.view_facts import LabelStore, Settled
    from unet_napari.inference.running.kept_maps import KeptMaps

__all__ = ["PaintedCells"]

# Share of a painted cell, or of an object, from which on one lies in the other.
_MOST_SHARE = 0.5
# Share of a painted cell that is more than a splinter of it.
_PART_SHARE = 0.15


class PaintedCells:
    """Compares the painted cells of all views with what is predicted there.

    Only what lies under the paint counts, so a cell of which a part is painted is no mistake.

    Parameters
    ----------
    settled
        What is painted.
    base
        The predicted labels.
    """

    def __init__(self, settled: Settled, base: LabelStore) -> None:
        self._settled, self._base = settled, base
        self._sizes: list[NDArray[np.floating]] = []
        self._found: list[DoubtfulObject] = []

    @property
    def sizes(self) -> NDArray[np.floating]:
        """Number of pixels of each painted cell."""
        return np.concatenate([np.zeros(0), *self._sizes])

    def mistakes(self) -> list[DoubtfulObject]:
        """Return the painted cells that are predicted otherwise."""
        return self._found

    def look(self, kept: KeptMaps, position: int, index: tuple[int, ...]) -> None:
        """Look at the painted cells of one view."""
        shape = self._base.shape[len(index) :]
        boxes = list(blocks_of(shape))
        known = [np.unique(self._settled.cells(index, box)) for box in boxes]
        ids = np.unique(np.concatenate([np.zeros(1, np.int64), *known]))
        if ids.size < 2:
            return
        sums, overlaps = ShapeSums(ids.size - 1, shape), Overlaps()
        for box, here in zip(boxes, known, strict=True):
            if not here.any():
                continue
            # Numbers without gaps, as those of users may be as high as they like.
            cells = np.searchsorted(ids, self._settled.cells(index, box)).astype(np.uint32)
            sums.add(box, cells, maps_at(kept, position, box), None)
            overlaps.add(cells, self._base.part(index, box))
        self._sizes.append(sums.size[1:])
        for cell, doubt, reason in _otherwise(overlaps, ids.size - 1):
            centre = np.rint(sums.centre[cell]).astype(np.intp)
            at = Box(tuple(centre.tolist()), tuple((centre + 1).tolist()))
            own = int(self._settled.cells(index, at).ravel()[0]) == ids[cell]
            point = (centre if own else sums.deepest[cell]).tolist()
            size = int(sums.size[cell])
            number = int(ids[cell])
            self._found.append(
                DoubtfulObject(doubt, reason, number, (*index, *point), painted=True, size=size)
            )


def _otherwise(overlaps: Overlaps, count: int) -> Iterator[tuple[int, float, str]]:
    """Yield each painted cell that is predicted otherwise, the doubt in it, and why."""
    cell, found, shared = overlaps.table()
    area = np.bincount(cell, shared, minlength=count + 1)
    predicted = np.bincount(found, shared)
    missing = np.zeros(count + 1)
    none = found == 0
    missing[cell[none]] = shared[none] / area[cell[none]]
    some = (cell > 0) & (found > 0)
    cell, found, shared = cell[some], found[some], shared[some]
    part = (shared > _PART_SHARE * area[cell]) & (shared > _MOST_SHARE * predicted[found])
    parts = np.bincount(cell[part], minlength=count + 1)
    largest = np.zeros(count + 1)
    np.maximum.at(largest, cell, shared / area[cell])
    # Several painted cells that mostly lie within one object.
    within = shared > _MOST_SHARE * area[cell]
    holds = np.bincount(found[within], minlength=predicted.size)
    joined = np.zeros(count + 1, bool)
    joined[cell[within & (holds[found] > 1)]] = True
    for number in range(1, count + 1):
        if missing[number] > _MOST_SHARE:
            yield number, float(missing[number]), "painted, but predicted as background"
        elif parts[number] > 1:
            doubt = min(1.0, 2 * (1 - float(largest[number])))
            yield number, doubt, f"painted as one cell, predicted as {parts[number]}"
        elif joined[number]:
            yield number, _MOST_SHARE, "painted as a cell, predicted as one with its neighbour"
