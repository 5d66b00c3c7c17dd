"""The gaps between painted cells and the ring around them, found only near the paint. No torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["closed_ring", "distance", "near_boxes"]


def closed_ring(
    painted: NDArray[np.bool_], diameter: float, ring: float, sizes: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return the paint with the gaps too narrow for a ball of a diameter, and a ring around it.

    Parameters
    ----------
    painted
        Mask of the paint, of any shape.
    diameter, ring
        Diameter of the ball and width of the ring, in the unit of `sizes`.
    sizes
        Pixel size along each axis.
    """
    near = np.zeros(painted.shape, bool)
    # More paint only ever adds pixels, so boxes may overlap: each adds what it finds.
    for box in near_boxes(painted, diameter + ring, sizes):
        index = box.to_slices()
        part = painted[index]
        grown = distance(part, sizes) <= diameter / 2
        closed = part | (distance(~grown, sizes) > diameter / 2)
        near[index] |= distance(closed, sizes) <= ring
    return near


def near_boxes(mask: NDArray[np.bool_], reach: float, sizes: NDArray[np.float64]) -> list[Box]:
    """Return boxes that hold all pixels up to a distance from a mask.

    For each such pixel one of the boxes holds all pixels of the mask up to that distance from it,
    so that distances may be measured box by box.

    Parameters
    ----------
    mask
        Mask of any shape.
    reach
        The distance, in the unit of `sizes`.
    sizes
        Pixel size along each axis.
    """
    if not mask.any():
        return []
    from scipy import ndimage  # takes half a second, while the window waits

    # Blocks are longer than the distance, so every pixel that is near lies in a block with a pixel
    # of the mask or in a neighbour of such a block; and there are few blocks to look through.
    sides = [math.ceil(reach / size) + 1 for size in sizes]
    blocks = mask
    for axis, side in enumerate(sides):
        starts = np.arange(0, mask.shape[axis], side)
        blocks = np.logical_or.reduceat(blocks, starts, axis=axis)
    everywhere = np.ones((3,) * mask.ndim, bool)
    near = ndimage.binary_dilation(blocks, everywhere)
    pieces = ndimage.find_objects(ndimage.label(near, everywhere)[0])
    boxes = [_of_pixels(Box.from_slices(piece), sides).clip(mask.shape) for piece in pieces]
    whole = Box.around(boxes)
    return boxes if sum(box.size for box in boxes) < whole.size else [whole]


def distance(mask: NDArray[np.bool_], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each pixel to the mask, which is infinite if the mask is empty."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    if mask.all():
        return np.zeros(mask.shape)
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=sizes))


def _of_pixels(piece: Box, sides: list[int]) -> Box:
    """Return the pixels of a box that counts blocks with these sides."""
    return Box.from_spans(
        (start * side, stop * side) for (start, stop), side in zip(piece.spans, sides, strict=True)
    )
