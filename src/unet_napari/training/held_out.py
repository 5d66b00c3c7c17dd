"""Which of the held-out cells are judged: all of them, each once, or a fair choice."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from unet_napari.labels.label_blocks import number_ids
from unet_napari.training.data.sample import Region, Sample
from unet_napari.training.data.split import LEAST

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["count_cells", "describe_judged", "judged_parts"]

# Pixels that are predicted each time, with their surroundings: some hundred cells of 2D images, and
# a volume of 200 x 200 x 200.
_MOST = {2: 2**21, 3: 2**23}
_PART = {2: 256, 3: 48}  # pixels per axis that are chosen together where there is more


def judged_parts(
    samples: Sequence[Sample], spacing: Sequence[float], context: int, seed: int, *, cells: bool
) -> list[Sample]:
    """Cut what is held out down to what is judged each time.

    That is everything, if it can be afforded: each sample in one piece, so that no cell is cut
    and none is judged twice. Where there is more, parts are drawn until there is enough; a cell
    belongs whole to the part that its middle lies in, so that large cells are drawn as often as
    small ones.

    Parameters
    ----------
    samples
        What is held out; of cells, those that are annotated are whole.
    spacing
        Relative pixel size per axis.
    context
        Pixels of image around a part that the network sees besides.
    seed
        Of the choice.
    cells
        Whether cells are judged; without, all annotated pixels are alike.
    """
    margins = [round(context / step) for step in spacing]
    most = _MOST[len(spacing)]
    whole = [_whole(sample, margins) for sample in samples]
    if sum(sample.labels.size for sample in whole) <= most:
        return whole
    parts = [part for sample in samples for part in _parts(sample, margins, cells=cells)]
    weights = np.array([count_cells([p]) if cells else p.annotated.sum() for p in parts], float)
    order = np.random.default_rng(seed).choice(
        len(parts), np.count_nonzero(weights), replace=False, p=weights / weights.sum()
    )
    chosen: list[Sample] = []
    size = 0
    for part in (parts[number] for number in order):
        enough = not cells or count_cells(chosen) >= LEAST["cells"]
        if size + part.labels.size > most and chosen and enough:
            break
        chosen.append(part)
        size += part.labels.size
    return chosen


def count_cells(samples: Sequence[Sample]) -> int:
    """Return how many cells are annotated."""
    return sum(np.unique(s.labels[s.annotated & (s.labels > 0)]).size for s in samples)


def describe_judged(held_out: Sequence[Sample], judged: Sequence[Sample]) -> str:
    """Return how many cells are judged: "all 96 cells are judged"."""
    cells, there = count_cells(judged), count_cells(held_out)
    if cells == there:
        return f"all {cells} cells are judged"
    return f"{cells} of {there} cells are judged, drawn at random"


def _whole(sample: Sample, margins: Sequence[int]) -> Sample:
    """Cut a sample to its annotated pixels and some image around them."""
    box = []
    for axis in range(sample.annotated.ndim):
        others = tuple(other for other in range(sample.annotated.ndim) if other != axis)
        found = np.flatnonzero(sample.annotated.any(axis=others))
        box.append(slice(int(found[0]), int(found[-1]) + 1))
    region = tuple(box)
    return _surrounded(sample, region, sample.annotated[region], margins)


def _parts(sample: Sample, margins: Sequence[int], *, cells: bool) -> Iterator[Sample]:
    """Divide what is annotated among equal boxes, cells as wholes."""
    shape = sample.labels.shape
    counts = [math.ceil(size / _PART[len(shape)]) for size in shape]
    edges = [[size * i // n for i in range(n + 1)] for size, n in zip(shape, counts, strict=True)]
    numbers, members = _members(sample, edges) if cells else (None, {})
    for position in itertools.product(*map(range, counts)):
        box = tuple(slice(e[i], e[i + 1]) for e, i in zip(edges, position, strict=True))
        mine = members.get(position, {})
        region = _hull([box, *mine.values()])
        annotated = np.zeros([part.stop - part.start for part in region], bool)
        inside = tuple(
            slice(b.start - r.start, b.stop - r.start) for b, r in zip(box, region, strict=True)
        )
        annotated[inside] = sample.annotated[box]
        if numbers is not None:
            here = numbers[region]
            annotated &= here == 0
            annotated |= np.isin(here, list(mine))
        if annotated.any():
            yield _surrounded(sample, region, annotated, margins)


_Members = dict[tuple[int, ...], dict[int, Region]]


def _members(
    sample: Sample, edges: Sequence[Sequence[int]]
) -> tuple[NDArray[np.integer], _Members]:
    """Give the annotated cells numbers, and each box those whose middle lies in it."""
    ids, numbers = number_ids(sample.labels * sample.annotated)
    numbers += 0 if ids[0] == 0 else 1
    members: _Members = {}
    for number, place in enumerate(ndimage.find_objects(numbers), start=1):
        position = tuple(
            bisect.bisect_right(axis, (part.start + part.stop) // 2) - 1
            for axis, part in zip(edges, place, strict=True)
        )
        members.setdefault(position, {})[number] = place
    return numbers, members


def _hull(regions: Sequence[Region]) -> Region:
    """Return the smallest region that holds all of these."""
    axes = zip(*regions, strict=True)
    return tuple(slice(min(p.start for p in axis), max(p.stop for p in axis)) for axis in axes)


def _surrounded(
    sample: Sample, region: Region, annotated: NDArray[np.bool_], margins: Sequence[int]
) -> Sample:
    """Return a region, annotated so, with some image around it."""
    outer = tuple(
        slice(max(0, part.start - m), min(size, part.stop + m))
        for part, m, size in zip(region, margins, sample.labels.shape, strict=True)
    )
    part = sample.crop(outer)
    everywhere = np.zeros_like(part.annotated)
    inner = (slice(r.start - o.start, r.stop - o.start) for r, o in zip(region, outer, strict=True))
    everywhere[tuple(inner)] = annotated
    return replace(part, annotated=everywhere)
