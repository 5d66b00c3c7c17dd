"""How deep a pixel lies in its cell, and how near two cells are: on batches and on the device.

Distances are octagonal: counted in steps to the neighbours that share a face, and to all
neighbours, in turn. They are within a tenth of Euclidean ones (a fifth along the diagonals of a
volume), need no tables of ids, and cost a few comparisons per pixel and step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from unet_napari.tasks.encoding.boundary import single_planes

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["border_weights", "relative_depth"]

_LARGEST_ID = 2**62


def relative_depth(
    labels: Tensor, annotated: Tensor, reach: int, spacing: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Measure how deep each pixel lies in its cell, as a share of how deep one can.

    Parameters
    ----------
    labels
        Ids of the cells, int64 ``(N, *S)``; 0 is background.
    annotated
        True at the pixels whose label says something, bool ``(N, *S)``.
    reach
        Distance from which on a pixel is in the middle of its cell, however large that is; in
        units of the smallest pixel spacing.
    spacing
        Pixel size along each axis over the smallest one.

    Returns
    -------
    depth : float32 (N, *S)
        The distance to the nearest pixel of another id or of background (1 next to it), at most
        `reach`, over the largest of the same cell: 1 in the middle of a cell, 0 outside of cells.
        The end of the patch is no edge. In a cell of which every pixel lies at its edge, all
        pixels are in the middle, so that two such cells that touch look like one.
    known : bool (N, *S)
        False where an unlabelled pixel is nearer than any edge, as an edge may be hidden there.
        Unlabelled slices before and behind a painted one do not count, nor what lies before and
        behind a single XZ or YZ plane, see `boundary_target`.
    """
    same, seen = [], []
    for axis in range(len(spacing)):
        same.append(_pairs(torch.eq, labels, axis))
        seen.append(_pairs(torch.logical_and, annotated, axis))
    # The depth is measured twice: first as if each unpainted pixel belonged to the cell beside it,
    # then as if none did. Where both agree, the unpainted pixels do not matter.
    hidden = [~pair for pair in seen]
    depth = _depth(labels, same, hidden, reach, spacing)
    known = annotated
    if not annotated.all():
        alike = [pair & other for pair, other in zip(same[-2:], seen[-2:], strict=True)]
        beside = [torch.zeros_like(pair) for pair in alike]
        for axis, alone in single_planes(annotated).items():
            beside[axis - len(spacing)] = hidden[axis] & _pairs(torch.logical_or, alone, axis)
        least = _depth(labels, same[:-2] + alike, hidden[:-2] + beside, reach, spacing)
        known = annotated & ((labels == 0) | (depth == least))
    return depth / _largest(depth, labels), known


def _depth(
    labels: Tensor,
    same: Sequence[Tensor],
    hidden: Sequence[Tensor],
    reach: int,
    spacing: Sequence[float],
) -> Tensor:
    """Count the steps of an erosion that each pixel survives; across `hidden` pairs none erodes."""
    left = labels > 0
    depth = left.float()
    for axis, size in enumerate(spacing):
        if size > 1:
            _part(left, labels, axis)
    for step in range(1, reach):
        left = _eroded(left, same, hidden, _moving(step, spacing), square=step % 2 == 0)
        depth += left
    return depth


def _moving(step: int, spacing: Sequence[float]) -> list[int]:
    """Return the axes along which the next pixel is reached in this step."""
    return [
        axis
        for axis, size in enumerate(spacing)
        if math.floor(step / size) > math.floor((step - 1) / size)
    ]


def _part(left: Tensor, labels: Tensor, axis: int) -> None:
    """Take away the pixels on both sides of a face at which two cells touch along a coarse axis.

    The next pixel there may be farther than the cells are deep, so that they would look like one.
    """
    touching = _pairs(torch.ne, labels, axis) & _pairs(torch.logical_and, labels > 0, axis)
    for start in (0, 1):
        left.narrow(axis + 1, start, touching.shape[axis + 1]).masked_fill_(touching, value=False)


def _pairs(compare: Callable[[Tensor, Tensor], Tensor], array: Tensor, axis: int) -> Tensor:
    """Compare each pixel with the next along an axis."""
    size = array.shape[axis + 1] - 1
    return compare(array.narrow(axis + 1, 0, size), array.narrow(axis + 1, 1, size))


def _eroded(
    left: Tensor,
    same: Sequence[Tensor],
    hidden: Sequence[Tensor],
    moved: Sequence[int],
    *,
    square: bool,
) -> Tensor:
    """Keep the pixels whose neighbours along some axes are left and of the same cell."""
    result = left
    for axis in moved:
        source = result if square else left
        size = left.shape[axis + 1] - 1
        kept = result.clone()
        for here, there in ((0, 1), (1, 0)):
            view = kept.narrow(axis + 1, here, size)
            view &= (source.narrow(axis + 1, there, size) & same[axis]) | hidden[axis]
        result = kept
    return result


def _largest(values: Tensor, labels: Tensor) -> Tensor:
    """Return for each pixel the largest value of its id in its image, at least 1."""
    ids, index = torch.unique(labels, return_inverse=True)
    batch = torch.arange(len(labels), device=labels.device).view(-1, *[1] * (labels.ndim - 1))
    index = (index + len(ids) * batch).flatten()
    highest = torch.ones(len(ids) * len(labels), device=values.device)
    highest = highest.scatter_reduce(0, index, values.flatten(), "amax")
    return highest[index].reshape(values.shape)


def border_weights(labels: Tensor, weight: float, sigma: float, spacing: Sequence[float]) -> Tensor:
    """Weigh narrow gaps between cells (Ronneberger 2015, equation 2, without its class term).

    ``1 + weight * exp(-(d1 + d2)**2 / (2 * sigma**2))``, with the distances d1 and d2 to the
    nearest and the second nearest cell. Distances are octagonal (a diamond and a square in
    turn), within a tenth of Euclidean ones (a fifth along the diagonals of a volume), and end at
    3 sigma.

    Parameters
    ----------
    labels
        Ids of the cells, int64 ``(N, *S)``; 0 is background.
    weight
        Largest weight that is added, w0 of the paper.
    sigma
        Width of a gap that counts as narrow, in units of the smallest pixel spacing.
    spacing
        Pixel size along each axis over the smallest one.

    Returns
    -------
    float32 (N, *S)
    """
    highest = labels
    # The ids are reversed, so that the lowest one spreads the most, and 0 is still no cell.
    lowest = torch.where(labels > 0, _LARGEST_ID - labels, 0)
    furthest = math.ceil(3 * sigma)
    first = torch.full(labels.shape, torch.inf, device=labels.device)
    second = first.clone()
    for distance in range(furthest + 1):
        if distance:
            axes = [axis + 1 for axis in _moving(distance, spacing)]
            square = distance % 2 == 0
            highest = _spread(highest, axes, square=square)
            lowest = _spread(lowest, axes, square=square)
        met_two = (highest > 0) & (highest + lowest != _LARGEST_ID)
        first = torch.where((highest > 0) & first.isinf(), float(distance), first)
        second = torch.where(met_two & second.isinf(), float(distance), second)
    return 1 + weight * torch.exp(-((first + second) ** 2) / (2 * sigma**2))


def _spread(array: Tensor, axes: Sequence[int], *, square: bool) -> Tensor:
    """Replace each pixel by the largest of it and its neighbours along the axes."""
    result = array
    for axis in axes:
        source = result if square else array
        size = array.shape[axis]
        grown = result.clone()
        for here, there in ((0, 1), (1, 0)):
            view = grown.narrow(axis, here, size - 1)
            view.copy_(torch.maximum(view, source.narrow(axis, there, size - 1)))
        result = grown
    return result
