"""The planes of a stack in which cells were painted. No torch.

A cell that was painted in one plane goes on before and behind it, where nobody painted it. So the
pixels beside its paint within the plane are background, and pixels off the plane say nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.labels.label_blocks import number_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WHOLE", "painted_planes"]

WHOLE = -1
"""Axis of a pixel whose cell was not painted in single planes."""
# Axis of a pixel that is not painted.
_UNPAINTED_AXIS = -2

# Mean thickness of a cell, in pixels, up to which it was painted in a single plane.
_ONE_PLANE = 1.5
# A cell that is so many times as thick along both other axes was painted in a few planes side by
# side.
_FLATNESS = 3.0
# A cell was painted in planes of several directions that cross each other if this share of its
# pixels lies in single planes, and if it has at least so many pixels.
_CROSSED_SHARE = 0.75
_CROSSED_PIXELS = 20


def painted_planes(
    labels: NDArray[Any], sizes: Sequence[float] | NDArray[np.floating]
) -> NDArray[np.int8]:
    """Return for each painted pixel the axis across the plane that it was painted in.

    Parameters
    ----------
    labels
        Cells ``(Z, Y, X)``, with a pixel or more of the image around them, where it goes on.
    sizes
        Pixel size along each axis, in any unit.

    Returns
    -------
    int8 (Z, Y, X)
        0 where a cell was painted in an XY plane, 1 in XZ, 2 in YZ. `WHOLE` where it was painted
        in all directions, or where nobody can tell. A number below `WHOLE` where nothing is
        painted.
    """
    planes = np.full(labels.shape, _UNPAINTED_AXIS, np.int8)
    painted = labels != 0
    cell = number_ids(labels[painted])[1]
    pixels = np.bincount(cell)
    single = [_alone(labels, axis, both=True)[painted] for axis in range(3)]
    runs = [np.bincount(cell, _alone(labels, axis)[painted]) for axis in range(3)]
    thickness = pixels / np.array(runs)
    across = _across(thickness, np.asarray(sizes, float))
    # In cells that were painted in planes of several directions, each pixel has a plane of its own.
    alone = np.sum(single, axis=0)
    share = np.bincount(cell, alone > 0) / pixels
    crossed = ((across == WHOLE) & (share >= _CROSSED_SHARE) & (pixels >= _CROSSED_PIXELS))[cell]
    if 2 * np.count_nonzero(across == WHOLE) > len(across):
        # Most cells are whole, so a cell that is flat at the border is a whole one cut by it.
        across[_cut(painted, cell, across)] = WHOLE
    of_pixel = across[cell].astype(np.int8)
    for axis in range(3):
        of_pixel[crossed & (alone == 1) & single[axis]] = axis
    planes[painted] = of_pixel
    return planes


def _across(thickness: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each cell the axis across the plane it was painted in, or `WHOLE`."""
    thin = thickness < _ONE_PLANE
    count = thin.sum(axis=0)
    across = np.where(count == 1, thin.argmax(axis=0), WHOLE)
    # A line lies in planes of two directions, and a single pixel in planes of all three. They are
    # taken to have been painted in the direction of most other cells.
    usual = Counter(across[count == 1].tolist()).most_common(1)
    first = usual[0][0] if usual else 0
    across[(count == 2) & thin[first]] = first
    if np.count_nonzero(count == 1) > np.count_nonzero(count == 0):
        across[count == 3] = first
    # A whole cell may be flat by nature, along Z rather than along Y or X, so only these two count.
    deep = np.sort(thickness * sizes[:, None], axis=0)
    for axis in (1, 2):
        flat = (count == 0) & (_FLATNESS * thickness[axis] * sizes[axis] <= deep[1])
        across[flat] = axis
    return across


def _cut(
    painted: NDArray[np.bool_], cell: NDArray[np.int32], across: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which cells reach an end of the array along the axis across their plane."""
    cut = np.zeros(len(across), bool)
    for axis in range(3):
        ends = np.zeros(painted.shape, bool)
        np.moveaxis(ends, axis, 0)[[0, -1]] = True
        there = np.unique(cell[ends[painted]])
        cut[there] |= across[there] == axis
    return cut


def _alone(labels: NDArray[Any], axis: int, *, both: bool = False) -> NDArray[np.bool_]:
    """Return the pixels whose neighbour before them along an axis is not of the same cell.

    With `both`, the neighbour after them must not be of the same cell either.
    """
    along = np.moveaxis(labels, axis, 0)
    alone = np.ones(along.shape, bool)
    other = along[1:] != along[:-1]
    alone[1:] = other
    if both:
        alone[:-1] &= other
    return np.moveaxis(alone, 0, axis)
