"""Honest validation: what is held out never appears in a training patch.

Training samples are cut physically: they do not contain the held-out pixels, so neither a
rotation nor a mirrored edge can bring one into a patch. Between the two lies a gap in which
nothing is annotated, because neighbouring pixels resemble each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.geometry import Box
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.tasks.kinds.kind import TaskKind, Units
from unet_napari.training.data.sample import Sample, focus

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TOO_FEW", "Slab", "Split", "split_samples"]

TOO_FEW = "too few labels to judge"

_GROUPS = 4  # from so many images on, whole images are held out
_GAP = 16.0  # pixels of the finest axis between training and validation labels
_DRAWS = 64  # random choices of whole images that are compared


@dataclass(frozen=True)
class Split:
    """What is trained on and what is held out; `message` says it in a few words."""

    training: list[Sample]
    validation: list[Sample]
    message: str


@dataclass(frozen=True)
class Slab:
    """The held-out part of an image: from `start` up to `stop` along one axis."""

    axis: int
    start: int
    stop: int
    gap: int


def split_samples(
    samples: Sequence[Sample],
    *,
    task: str,
    fraction: float,
    spacing: Sequence[float],
    context: int,
    seed: int,
) -> Split:
    """Hold out about a `fraction` of what is annotated.

    Of four or more images, whole images are held out. Of fewer, a slab of each: along the axis
    and at the place where its share of the cells, or of every class, is closest to `fraction`
    and the gap costs least. All slices and frames of an image share the slab, and so do all
    pairs that are of one image (`Sample.group`).

    Parameters
    ----------
    samples
        All that was painted.
    task
        Name of the task; see `TaskKind.groups` and `TaskKind.units`.
    fraction
        Share to hold out; 0 holds out nothing.
    spacing
        Relative pixel size per axis.
    context
        Pixels of image around a held-out slab that the network may see in validation.
    seed
        The seed of the choice among whole images.
    """
    if fraction == 0:
        return Split(list(samples), [], "no validation was asked for")
    groups = [
        [sample for sample in samples if sample.group == group]
        for group in sorted({sample.group for sample in samples})
    ]
    kind = task_kind(task)
    kept_apart = kind.groups([sample.labelled for sample in samples])
    units = [[_units(images, kind, group) for group in kept_apart] for images in groups]
    if len(groups) >= _GROUPS:
        split = _hold_out_groups(groups, units, fraction, seed)
    else:
        split = _hold_out_slabs(groups, units, fraction, spacing, context, kind)
    for group in kept_apart:
        for side in (split.training, split.validation):
            if _units(side, kind, group).weight.sum() < kind.fewest_units:
                return Split(list(samples), [], TOO_FEW)
    return split


def _units(samples: Sequence[Sample], kind: TaskKind, group: int) -> Units:
    """Return what can be held out of a group, in pixels of the frame."""
    parts = []
    for sample in samples:
        part = kind.units(sample.labelled, group)
        origin = np.asarray(sample.origin)[:, None]
        parts.append(Units(part.start + origin, part.stop + origin, part.weight))
    if not parts:
        return Units(np.zeros((1, 0), int), np.zeros((1, 0), int), np.zeros(0))
    return Units(
        np.concatenate([p.start for p in parts], axis=1),
        np.concatenate([p.stop for p in parts], axis=1),
        np.concatenate([p.weight for p in parts]),
    )


def _hold_out_groups(
    groups: list[list[Sample]], items: list[list[Units]], fraction: float, seed: int
) -> Split:
    """Hold out the random choice of whole images that has the best share of every kind."""
    weights = np.array([[kind.weight.sum() for kind in group] for group in items])
    totals = weights.sum(axis=0)
    rng = np.random.default_rng(seed)
    count = max(1, round(fraction * len(groups)))
    draws = [rng.choice(len(groups), count, replace=False) for _ in range(_DRAWS)]
    best = min(draws, key=lambda draw: np.abs(weights[draw].sum(axis=0) / totals - fraction).sum())
    held = set(best.tolist())
    return Split(
        [s for number, group in enumerate(groups) if number not in held for s in group],
        [s for number, group in enumerate(groups) if number in held for s in group],
        f"{count} of {len(groups)} images",
    )


def _hold_out_slabs(
    groups: list[list[Sample]],
    items: list[list[Units]],
    fraction: float,
    spacing: Sequence[float],
    context: int,
    kind: TaskKind,
) -> Split:
    split = Split([], [], "")
    shares = []
    for group, kinds in zip(groups, items, strict=True):
        slab = _best_slab(kinds, fraction, spacing)
        if slab is None:
            split.training.extend(group)
            continue
        for sample in group:
            split.training.extend(_outside(sample, slab))
            split.validation.extend(
                _inside(sample, slab, context, spacing, whole=kind.separates_objects)
            )
        shares.append(f"{'ZYX'[slab.axis - len(spacing)]} {slab.start} to {slab.stop - 1}")
    return replace(split, message="the part at " + ", ".join(shares))


def _best_slab(kinds: list[Units], fraction: float, spacing: Sequence[float]) -> Slab | None:
    """Return the slab with the best share of every kind, or None where nothing can be cut."""
    slabs = list(_candidates(kinds, fraction, spacing))
    best = min(slabs, key=lambda slab: _cost(kinds, slab, fraction), default=None)
    if best is not None and min(_shares(kinds, best)) < fraction / 2:
        # Cells that lie in a few layers are all cut by such slabs, and none could be judged.
        slabs = list(_candidates(kinds, fraction, spacing, widened=True))
        best = min([best, *slabs], key=lambda slab: _cost(kinds, slab, fraction))
    return best


def _candidates(
    kinds: list[Units], fraction: float, spacing: Sequence[float], *, widened: bool = False
) -> Iterator[Slab]:
    """Yield slabs that hold a `fraction` of everything annotated: both ends, and between.

    With `widened` they reach to the ends of all cells whose middles they hold.
    """
    for axis, step in enumerate(spacing):
        middles = [(kind.start[axis] + kind.stop[axis]) / 2 for kind in kinds if kind.weight.size]
        if not middles:
            return
        middle = np.concatenate(middles)
        begin = np.concatenate([kind.start[axis] for kind in kinds])
        end = np.concatenate([kind.stop[axis] for kind in kinds])
        low = min(int(kind.start[axis].min()) for kind in kinds if kind.weight.size)
        high = max(int(kind.stop[axis].max()) for kind in kinds if kind.weight.size)
        gap = max(1, min(round(_GAP / step), (high - low) // 16))
        for first in np.linspace(0, 1 - fraction, 9):
            start, stop = np.quantile(middle, [first, first + fraction])
            if widened:
                held = (middle >= start) & (middle <= stop)
                if held.any():
                    yield Slab(axis, int(begin[held].min()), int(end[held].max()), gap)
                continue
            # At an end of what was painted nothing is left beyond, and one gap is enough.
            yield Slab(
                axis,
                low if first == 0 else round(start),
                high if first == 1 - fraction else round(stop),
                gap,
            )


def _shares(kinds: list[Units], slab: Slab) -> list[float]:
    """Return the share of every kind that a slab holds whole."""
    return [
        float(kind.weight[_held(kind, slab)].sum() / kind.weight.sum())
        for kind in kinds
        if kind.weight.size
    ]


def _held(kind: Units, slab: Slab) -> NDArray[np.bool_]:
    begins, ends = kind.start[slab.axis] >= slab.start, kind.stop[slab.axis] <= slab.stop
    return np.asarray(begins & ends)


def _cost(kinds: list[Units], slab: Slab, fraction: float) -> float:
    """Return how far the shares are off, and what is lost in the gap; the less the better."""
    cost = 0.0
    for kind in kinds:
        start, stop, total = kind.start[slab.axis], kind.stop[slab.axis], kind.weight.sum()
        held = _held(kind, slab)
        left = (stop <= slab.start - slab.gap) | (start >= slab.stop + slab.gap)
        if total:
            share = kind.weight[held].sum() / total
            cost += abs(share - fraction) + (1 - share - kind.weight[left].sum() / total)
    return cost


def _outside(sample: Sample, slab: Slab) -> list[Sample]:
    """Return what of a sample lies on either side of a slab, without annotations in the gap."""
    origin, size = sample.origin[slab.axis], sample.labels.shape[slab.axis]
    start, stop = (int(np.clip(edge - origin, 0, size)) for edge in (slab.start, slab.stop))
    kept_before = max(0, start - slab.gap)
    kept_after = min(size, stop + slab.gap)
    sides = []
    whole = Box.whole(sample.labels.shape)
    for side, kept in (((0, start), (0, kept_before)), ((stop, size), (kept_after, size))):
        annotated = np.zeros_like(sample.annotated)
        index = whole.replace_axis(slab.axis, *kept).to_slices()
        annotated[index] = sample.annotated[index]
        if annotated.any():
            part = replace(sample, annotated=annotated)
            sides.append(part.crop(whole.replace_axis(slab.axis, *side)))
    return sides


def _inside(
    sample: Sample, slab: Slab, context: int, spacing: Sequence[float], *, whole: bool
) -> list[Sample]:
    """Return the held-out part of a sample, with image around it for the network to see."""
    origin, size = sample.origin[slab.axis], sample.labels.shape[slab.axis]
    start, stop = (int(np.clip(edge - origin, 0, size)) for edge in (slab.start, slab.stop))
    if start >= stop:
        return []
    margins = [round(context / step) for step in spacing]
    box = Box.whole(sample.labels.shape).replace_axis(slab.axis, start, stop)
    part = focus(sample, box, margins, whole=whole)
    return [part] if part.annotated.any() else []
