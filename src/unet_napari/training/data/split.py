"""Honest validation: the choice of what is held out, which never appears in a training patch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.tasks.kinds.kind import TaskKind, Units
from unet_napari.training.data.division import Division, Slab, Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.training.data.sample import Sample

__all__ = ["NOT_ASKED", "TOO_FEW", "divide", "split_samples"]

NOT_ASKED = "no validation was asked for"

TOO_FEW = "too few labels to judge"

_GROUPS = 4  # from so many images on, whole images are held out
_GAP = 16.0  # pixels of the finest axis between training and validation labels
_DRAWS = 64  # random choices of whole images that are compared


def split_samples(
    samples: Sequence[Sample],
    *,
    task: str,
    fraction: float,
    spacing: Sequence[float],
    context: int,
    seed: int,
) -> Split:
    """Hold out about a `fraction` of what is annotated; the parameters are those of `divide`."""
    division = divide(
        samples, task=task, fraction=fraction, spacing=spacing, context=context, seed=seed
    )
    if division is None:
        return Split(list(samples), [], TOO_FEW if fraction else NOT_ASKED)
    return division.apply(samples)


def divide(
    samples: Sequence[Sample],
    *,
    task: str,
    fraction: float,
    spacing: Sequence[float],
    context: int,
    seed: int,
) -> Division | None:
    """Choose what to hold out: about a `fraction` of what is annotated.

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

    Returns
    -------
    Division or None
        None where nothing is to be held out, or too little is painted.
    """
    if fraction == 0 or not samples:
        return None
    groups = [
        [sample for sample in samples if sample.group == group]
        for group in sorted({sample.group for sample in samples})
    ]
    kind = task_kind(task)
    kept_apart = kind.groups([sample.labelled for sample in samples])
    units = [[_units(images, kind, group) for group in kept_apart] for images in groups]
    division = Division("", tuple(spacing), context, whole=kind.separates_objects)
    if len(groups) >= _GROUPS:
        division = _hold_out_groups(division, groups, units, fraction, seed)
    else:
        division = _hold_out_slabs(division, groups, units, fraction)
    split = division.apply(samples)
    for group in kept_apart:
        for side in (split.training, split.validation):
            if _units(side, kind, group).weight.sum() < kind.fewest_units:
                return None
    return division


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
    division: Division,
    groups: list[list[Sample]],
    items: list[list[Units]],
    fraction: float,
    seed: int,
) -> Division:
    """Hold out the random choice of whole images that has the best share of every kind."""
    weights = np.array([[kind.weight.sum() for kind in group] for group in items])
    totals = weights.sum(axis=0)
    rng = np.random.default_rng(seed)
    count = max(1, round(fraction * len(groups)))
    draws = [rng.choice(len(groups), count, replace=False) for _ in range(_DRAWS)]
    best = min(draws, key=lambda draw: np.abs(weights[draw].sum(axis=0) / totals - fraction).sum())
    held = frozenset(groups[number][0].group for number in best.tolist())
    return replace(division, held=held, message=f"{count} of {len(groups)} images")


def _hold_out_slabs(
    division: Division, groups: list[list[Sample]], items: list[list[Units]], fraction: float
) -> Division:
    spacing = division.spacing
    slabs = {}
    for group, kinds in zip(groups, items, strict=True):
        slab = _best_slab(kinds, fraction, spacing)
        if slab is not None:
            slabs[group[0].group] = slab
    shares = [
        f"{'ZYX'[slab.axis - len(spacing)]} {slab.start} to {slab.stop - 1}"
        for slab in slabs.values()
    ]
    return replace(division, slabs=slabs, message="the part at " + ", ".join(shares))


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
