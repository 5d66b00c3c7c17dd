"""Where cells end: boundary targets, on batches and on the device."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["boundary_target", "single_planes"]


def boundary_target(
    labels: Tensor, annotated: Tensor, width: float, spacing: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Mark the pixels of cells that lie within `width` of another id or of background.

    Parameters
    ----------
    labels
        Ids of the cells, int64 ``(N, *S)``; 0 is background. Ids are only compared, so that their
        size costs nothing.
    annotated
        True at the pixels whose label says something, bool ``(N, *S)``.
    width
        Width of the boundary, in units of the smallest pixel spacing.
    spacing
        Pixel size along each axis over the smallest one.

    Returns
    -------
    closeness : float32 (N, *S)
        1 next to the edge, falling by ``1 / width`` with each pixel of distance, 0 from
        ``width + 1`` on and outside of cells.
    known : bool (N, *S)
        False where an unlabelled pixel is nearer than any edge, as an edge may be hidden there.
        Unlabelled slices before and behind a painted one do not count: otherwise a stack of which
        single slices are painted could not teach what the inside of a cell is. Nor does what lies
        before and behind a single XZ or YZ plane (`single_planes`).
    """
    single = single_planes(annotated)
    known = torch.zeros(labels.shape, device=labels.device)
    hidden = torch.zeros_like(known)
    for offset, value, touching in _offsets(width, spacing):
        a, b = _views(labels, offset)
        seen_a, seen_b = _views(annotated, offset)
        edge = (a != b) & seen_a & seen_b
        if touching:
            edge &= (a > 0) & (b > 0)
        for view in _views(known, offset):
            view.masked_fill_(edge, value)
        if not any(offset[:-2]):  # within one plane
            hidden_a, hidden_b = _views(hidden, offset)
            unseen_a, unseen_b = ~seen_a, ~seen_b
            for axis, alone in single.items():
                if offset[axis]:
                    alone_a, alone_b = _views(alone, offset)
                    unseen_a, unseen_b = unseen_a & ~alone_b, unseen_b & ~alone_a
            hidden_a.masked_fill_(unseen_b, value)
            hidden_b.masked_fill_(unseen_a, value)
    inside = labels > 0
    return known * inside, annotated & (~inside | (known >= hidden))


def single_planes(annotated: Tensor) -> dict[int, Tensor]:
    """Find the pixels of a volume that were annotated in single XZ or YZ planes.

    Parameters
    ----------
    annotated
        True at the pixels whose label says something, bool ``(N, *S)``.

    Returns
    -------
    dict of int to bool (N, *S)
        For the axes Y (1) and X (2) of a volume a mask of the annotated pixels whose neighbours
        before and after along this axis say nothing; empty for images of two axes. Z is left
        out, because slices along Z may be single anyway.
    """
    if annotated.ndim < 4:
        return {}
    single = {}
    for axis in (1, 2):
        along = annotated.movedim(axis + 1, -1)
        alone = torch.zeros_like(along)
        alone[..., 1:-1] = along[..., 1:-1] & ~along[..., :-2] & ~along[..., 2:]
        single[axis] = alone.movedim(-1, axis + 1)
    return single


def _offsets(
    width: float, spacing: Sequence[float]
) -> Iterator[tuple[tuple[int, ...], float, bool]]:
    """Yield the offset between neighbours, the value of an edge there, and whether cells touch.

    Each pair of neighbours comes once, and the nearest come last, so that the largest value stays.
    Along coarse axes the next pixel may be farther than `width`. Two cells that touch there still
    need a boundary between them, or their seeds would be one; for such offsets, which come at the
    end, the last value is True, and only an edge between two cells counts.
    """
    reach = [math.floor(width / s) for s in spacing]
    within = []
    for offset in itertools.product(*(range(-r, r + 1) for r in reach)):
        distance = math.hypot(*(o * s for o, s in zip(offset, spacing, strict=True)))
        if offset > (0,) * len(offset) and distance <= width:
            within.append((distance, offset))
    for distance, offset in sorted(within, reverse=True):
        yield offset, min(1.0, 1 - (distance - 1) / width), False
    for axis, size in enumerate(spacing):
        if size > 1:
            yield tuple(int(axis == i) for i in range(len(spacing))), 1.0, True


def _views(array: Tensor, offset: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the pixels that have a neighbour at `offset`, and these neighbours."""
    here, there = [slice(None)], [slice(None)]
    for step, size in zip(offset, array.shape[1:], strict=True):
        start, stop = min(size, max(0, -step)), max(0, min(size, size - step))
        here.append(slice(start, max(start, stop)))
        there.append(slice(start + step, max(start, stop) + step) if stop > start else slice(0, 0))
    return array[tuple(here)], array[tuple(there)]
