"""What more generous thresholds find where nothing was found: perhaps missed cells. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unet_napari.geometry import Box
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject, runs_of
from unet_napari.inference.doubt.overlaps import Overlaps
from unet_napari.inference.doubt.shape_sums import ShapeSums
from unet_napari.inference.doubt.view_facts import blocks_of, maps_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.inference.doubt.measure import SizeReference
    from unet_napari.inference.doubt.view_facts import LabelStore, Settled, ViewFacts
    from unet_napari.inference.running.kept_maps import KeptMaps

__all__ = ["missed_cells"]

_FREE_SHARE = 0.9  # of an object, where nothing was found
_SETTLED_SHARE = 0.5  # of an object, on which something is painted, if only background
_USUAL_SPREAD = (
    2.0  # standard deviations of the logarithm of the size, where the doubt is 0.6 of it
)
_ROUND, _STRANGE_SHAPE = 0.97, 0.6  # see `ShapeSums.fill`
_LARGEST = 1 << 22  # pixels of the box of a cell, at most: more is no cell that is missed


def missed_cells(
    view: ViewFacts,
    found: LabelStore,
    kept: KeptMaps,
    position: int,
    settled: Settled | None,
    reference: SizeReference,
    threshold: float,
    most: int,
) -> Iterator[DoubtfulObject]:
    """Yield objects that lie where nothing was found, each with its pixels, likely cells first.

    Their doubt is the higher the more they are like cells: as dim as that they were nearly found,
    of a usual size, and round.

    Parameters
    ----------
    view
        What was found.
    found
        What more generous thresholds find.
    kept, position
        The maps, and the number of the view.
    settled
        What is painted.
    reference
        Sizes that are usual.
    threshold
        Threshold of the foreground with which the view was found.
    most
        Number of objects at most.
    """
    numbers = _where_nothing_is(view, found)
    count = int(numbers.max(initial=0))
    sums, bright = ShapeSums(count, view.shape), np.zeros(count + 1)
    spans: dict[int, Box] = {}
    for box in blocks_of(view.shape):
        own = numbers[found.part(view.index, box)]
        if not own.any():
            continue
        maps = maps_at(kept, position, box)
        painted = None if settled is None else settled.part(view.index, box) != 0
        sums.add(box, own, maps, painted)
        bright += np.bincount(own.ravel(), maps[0].ravel() / 255, minlength=count + 1)
        _note_spans(spans, own, box)
    doubt = _likeness(sums, bright, reference, threshold)
    order = np.argsort(-doubt, kind="stable")
    likely = [n for n in order.tolist() if n and doubt[n] > 0 and spans[n].size <= _LARGEST]
    for number in likely[:most]:
        mask = numbers[found.part(view.index, spans[number])] == number
        dim = bright[number] / sums.size[number]
        yield _missed(float(doubt[number]), dim, view.index, spans[number], mask, sums, number)


def _where_nothing_is(view: ViewFacts, found: LabelStore) -> NDArray[np.uint32]:
    """Return new numbers, from 1, of the objects that lie where nothing was found; 0: others."""
    overlaps = Overlaps()
    for box in blocks_of(view.shape):
        overlaps.add(view.labels(box), found.part(view.index, box))
    first, second, shared = overlaps.table()
    size = np.bincount(second, shared, minlength=1)
    free = np.bincount(second, np.where(first == 0, shared, 0), minlength=1)
    alone = free >= _FREE_SHARE * np.maximum(size, 1)
    alone[0] = False
    return np.where(alone, np.cumsum(alone), 0).astype(np.uint32)


def _missed(
    doubt: float,
    foreground: float,
    index: tuple[int, ...],
    box: Box,
    mask: NDArray[np.bool_],
    sums: ShapeSums,
    number: int,
) -> DoubtfulObject:
    centre = tuple(np.rint(sums.centre[number]).astype(int).tolist())
    inside = mask[tuple(a - b for a, b in zip(centre, box.start, strict=True))]
    point = centre if inside else tuple(sums.deepest[number].tolist())
    whole = box.prepend(index)
    return DoubtfulObject(
        round(doubt, 6),
        f"perhaps a missed cell, foreground {foreground:.2f}",
        0,
        (*index, *point),
        size=int(sums.size[number]),
        missed=True,
        box=whole.spans,
        runs=runs_of(mask.reshape(whole.shape)),
    )


def _likeness(
    sums: ShapeSums,
    bright: NDArray[np.floating],
    reference: SizeReference,
    threshold: float,
) -> NDArray[np.floating]:
    """Return how much each object is like a cell, 0 to 1; 0 where something is painted on it."""
    size = np.maximum(sums.size, 1)
    near = np.minimum(bright / size / max(threshold, 1e-3), 1) ** 2
    deviation = reference.deviation(size)
    deviation[sums.at_border & (deviation < 0)] = 0  # the rest of it may be beyond the edge
    usual = np.exp(-((deviation / _USUAL_SPREAD) ** 2) / 2)
    round_ = np.clip((sums.fill - _STRANGE_SHAPE) / (_ROUND - _STRANGE_SHAPE), 0, 1)
    doubt = near * usual * round_
    doubt[sums.painted >= _SETTLED_SHARE] = 0
    return np.asarray(doubt)


def _note_spans(spans: dict[int, Box], ids: NDArray[np.uint32], box: Box) -> None:
    """Note the box of each object, as far as a block shows it."""
    from scipy import ndimage

    for number, place in enumerate(ndimage.find_objects(ids.astype(np.int32)), start=1):
        if place is not None:
            here = Box.from_slices(place).absolute_in(box)
            spans[number] = Box.around([spans[number], here]) if number in spans else here
