"""The gaps and the ring beside what is painted, looked for only near it. No torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Box", "closed_ring", "distance", "grown_box", "near_boxes", "part_of"]

Box = tuple[slice, ...]


def closed_ring(
    painted: NDArray[np.bool_], diameter: float, ring: float, sizes: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Add to what is painted the gaps too narrow for a ball of a diameter, and a ring around.

    Parameters
    ----------
    painted
        Of any shape.
    diameter, ring
        In the unit of `sizes`.
    sizes
        Pixel size along each axis.
    """
    near = np.zeros(painted.shape, bool)
    # More paint never takes away from what is near, so the boxes may lie on each other.
    for box in near_boxes(painted, diameter + ring, sizes):
        part = painted[box]
        grown = distance(part, sizes) <= diameter / 2
        closed = part | (distance(~grown, sizes) > diameter / 2)
        near[box] |= distance(closed, sizes) <= ring
    return near


def near_boxes(mask: NDArray[np.bool_], reach: float, sizes: NDArray[np.float64]) -> list[Box]:
    """Return boxes that hold all pixels up to a distance from a mask.

    For each such pixel one of the boxes holds all pixels of the mask up to that distance from it,
    so that distances may be measured box by box.

    Parameters
    ----------
    mask
        Of any shape.
    reach
        The distance, in the unit of `sizes`.
    sizes
        Pixel size along each axis.
    """
    if not mask.any():
        return []
    from scipy import ndimage  # takes half a second, while the window waits

    sides = [math.ceil(reach / size) + 1 for size in sizes]
    blocks = mask
    for axis, side in enumerate(sides):
        starts = np.arange(0, mask.shape[axis], side)
        blocks = np.logical_or.reduceat(blocks, starts, axis=axis)
    everywhere = np.ones((3,) * mask.ndim, bool)
    near = ndimage.binary_dilation(blocks, everywhere)
    pieces = ndimage.find_objects(ndimage.label(near, everywhere)[0])
    boxes = [_of_pixels(piece, sides, mask.shape) for piece in pieces]
    whole = _hull(boxes)
    return boxes if sum(map(_pixels, boxes)) < _pixels(whole) else [whole]


def grown_box(
    box: Box, reach: float, sizes: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[Box, Box]:
    """Return a box with all pixels up to a distance from it, and where in there it lies."""
    margins = [math.ceil(reach / size) for size in sizes]
    outer = tuple(
        slice(max(0, part.start - margin), min(n, part.stop + margin))
        for part, margin, n in zip(box, margins, shape, strict=True)
    )
    inner = tuple(
        slice(part.start - around.start, part.stop - around.start)
        for part, around in zip(box, outer, strict=True)
    )
    return outer, inner


def part_of(box: Box, part: Box) -> Box:
    """Return a part of a box, given by its place in there, as a box of the whole."""
    return tuple(
        slice(outer.start + inner.start, outer.start + inner.stop)
        for outer, inner in zip(box, part, strict=True)
    )


def distance(mask: NDArray[np.bool_], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each pixel to the mask; infinite where the mask is empty."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    if mask.all():
        return np.zeros(mask.shape)
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=sizes))


def _of_pixels(piece: Box, sides: list[int], shape: tuple[int, ...]) -> Box:
    """Return the pixels of a box of blocks."""
    return tuple(
        slice(part.start * side, min(part.stop * side, n))
        for part, side, n in zip(piece, sides, shape, strict=True)
    )


def _hull(boxes: list[Box]) -> Box:
    axes = zip(*boxes, strict=True)
    return tuple(slice(min(p.start for p in axis), max(p.stop for p in axis)) for axis in axes)


def _pixels(box: Box) -> int:
    return math.prod(part.stop - part.start for part in box)
