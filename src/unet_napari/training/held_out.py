"""The choice of the held-out cells that are judged: all of them, each once, or some at random."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from unet_napari.geometry import Box, bounding_box
from unet_napari.labels.label_blocks import number_ids
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.data.sample import Sample, surrounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["count_objects", "describe_judged", "judged_parts"]

# Number of pixels that are predicted each time, with their surroundings, by the number of axes:
# some hundred cells of 2D images, and a volume of 200 x 200 x 200.
_MOST_PIXELS = {2: 2**21, 3: 2**23}
_PART_SIDE = {2: 256, 3: 48}  # pixels per axis that are chosen together where there is more


def judged_parts(
    samples: Sequence[Sample], spacing: Sequence[float], context: int, seed: int, task: str
) -> list[Sample]:
    """Cut what is held out down to what is judged each time.

    That is everything, if it can be afforded: each sample in one piece, so that no cell is cut
    and none is judged twice. Where there is more, parts are drawn until there is enough; a cell
    belongs whole to the part that its middle lies in, so that large cells are drawn as often as
    small ones.

    Parameters
    ----------
    samples
        Samples that are held out; annotated cells are whole in them.
    spacing
        Relative pixel size per axis.
    context
        Pixels of the image around a part that the network sees, too.
    seed
        Seed of the choice.
    task
        Name of the task, which tells what counts: objects, or annotated pixels.
    """
    margins = [round(context / step) for step in spacing]
    most = _MOST_PIXELS[len(spacing)]
    whole = [_whole(sample, margins) for sample in samples]
    if sum(sample.labels.size for sample in whole) <= most:
        return whole
    kind = task_kind(task)
    objects = kind.separates_objects
    parts = [part for sample in samples for part in _parts(sample, margins, cells=objects)]
    weights = np.array([kind.drawing_weight(part.labelled) for part in parts], float)
    order = np.random.default_rng(seed).choice(
        len(parts), np.count_nonzero(weights), replace=False, p=weights / weights.sum()
    )
    chosen: list[Sample] = []
    size = 0
    for part in (parts[number] for number in order):
        enough = kind.enough_objects(count_objects(chosen, task))
        if size + part.labels.size > most and chosen and enough:
            break
        chosen.append(part)
        size += part.labels.size
    return chosen


def count_objects(samples: Sequence[Sample], task: str) -> int:
    """Return how many objects are annotated; 0 if the task has none."""
    kind = task_kind(task)
    return sum(kind.count_objects(sample.labelled) for sample in samples)


def describe_judged(held_out: Sequence[Sample], judged: Sequence[Sample], task: str) -> str:
    """Return how many objects are judged: "all 96 cells are judged"; "" if the task has none."""
    kind = task_kind(task)
    if not (judged and kind.separates_objects):
        return ""
    count, there = count_objects(judged, task), count_objects(held_out, task)
    if count == there:
        return f"all {count} {kind.things} are judged"
    return f"{count} of {there} {kind.things} are judged, drawn at random"


def _whole(sample: Sample, margins: Sequence[int]) -> Sample:
    """Cut a sample to its annotated pixels and some image around them."""
    box = bounding_box(sample.annotated) or Box.whole(sample.annotated.shape)
    return surrounded(sample, box, sample.annotated[box.to_slices()], margins)[0]


def _parts(sample: Sample, margins: Sequence[int], *, cells: bool) -> Iterator[Sample]:
    """Divide what is annotated among equal boxes; each cell stays whole."""
    shape = sample.labels.shape
    counts = [math.ceil(size / _PART_SIDE[len(shape)]) for size in shape]
    edges = [[size * i // n for i in range(n + 1)] for size, n in zip(shape, counts, strict=True)]
    numbers, members = _members(sample, edges) if cells else (None, {})
    for position in itertools.product(*map(range, counts)):
        box = Box.from_spans((e[i], e[i + 1]) for e, i in zip(edges, position, strict=True))
        mine = members.get(position, {})
        outer = Box.around([box, *mine.values()])
        annotated = np.zeros(outer.shape, bool)
        annotated[box.to_slices(outer)] = sample.annotated[box.to_slices()]
        if numbers is not None:
            here = numbers[outer.to_slices()]
            annotated &= here == 0
            annotated |= np.isin(here, list(mine))
        if annotated.any():
            yield surrounded(sample, outer, annotated, margins)[0]


_Members = dict[tuple[int, ...], dict[int, Box]]


def _members(
    sample: Sample, edges: Sequence[Sequence[int]]
) -> tuple[NDArray[np.integer], _Members]:
    """Give the annotated cells numbers, and list for each box the cells whose middle lies in it."""
    ids, numbers = number_ids(sample.labels * sample.annotated)
    numbers += 0 if ids[0] == 0 else 1
    members: _Members = {}
    for number, place in enumerate(ndimage.find_objects(numbers), start=1):
        position = tuple(
            bisect.bisect_right(axis, (part.start + part.stop) // 2) - 1
            for axis, part in zip(edges, place, strict=True)
        )
        members.setdefault(position, {})[number] = Box.from_slices(place)
    return numbers, members
