"""The convex hull, the largest diameter and the surface of one object, as scikit-image has them.

They cannot be added up from parts of an object, so an object is taken as a whole, in its bounding
box. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ObjectShape", "object_shape"]

# Of more points, those on their hull are found first, as others are no ends of a diameter.
_FEW_POINTS = 200
_TOLERANCE = 1e-10  # of `skimage.morphology.convex_hull_image`
_FLAT = 1e-12  # a component of a normal that is zero but for rounding


@dataclass(frozen=True)
class ObjectShape:
    """What is measured of the shape of one object.

    Attributes
    ----------
    convex : int or None
        Number of pixels of its convex hull; None where a volume has no hull, as it is flat.
    feret : tuple of float
        Its largest diameter, in pixels, and in the unit of the spacing.
    surface : tuple of float
        The area of its surface, likewise; NaN in a plane, or where it was not asked for.
    """

    convex: int | None
    feret: tuple[float, float]
    surface: tuple[float, float]


def object_shape(
    mask: NDArray[np.bool_], spacing: Sequence[float], *, hull: bool, surface: bool
) -> ObjectShape:
    """Measure the shape of an object.

    Parameters
    ----------
    mask : ndarray of bool, 2D or 3D
        The object in its bounding box.
    spacing : sequence of float
        Pixel size along each axis.
    hull, surface : bool
        Whether to measure the hull and the diameter, and the surface.
    """
    nothing = (math.nan, math.nan)
    convex: int | None = None
    feret = nothing
    if hull:
        filled = _hull_2d(mask) if mask.ndim == 2 else _hull_3d(mask)
        convex = None if filled is None else int(np.count_nonzero(filled))
        points = _ends(mask if filled is None else filled)
        feret = (_diameter(points), _diameter(points * np.asarray(spacing)))
    area = _surface(mask, spacing) if surface and mask.ndim == 3 else nothing
    return ObjectShape(convex, feret, area)


def _hull_2d(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from skimage import morphology  # it takes 0.2 s

    find: Any = morphology.convex_hull_image  # without types
    hull: NDArray[np.bool_] = find(mask)
    return hull


def _hull_3d(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return the voxels in the hull of an object, as `convex_hull_image`; None if it is flat.

    In place of each voxel its six neighbours half a voxel away are in the hull. Row by row, the
    facets of the hull bound an interval of X, so that the memory is that of the mask.
    """
    from scipy.spatial import ConvexHull

    points = _outermost(mask)
    if len(points) < 4 or np.linalg.matrix_rank(points[1:] - points[0]) < 3:
        return None
    corners = points[ConvexHull(points).vertices]
    steps = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    around = np.unique((corners[:, np.newaxis] + steps).reshape(-1, 3), axis=0)
    z, y = np.ogrid[: mask.shape[0], : mask.shape[1]]
    low = np.full(mask.shape[:2], -np.inf)
    high = np.full(mask.shape[:2], np.inf)
    for nz, ny, nx, offset in np.unique(ConvexHull(around).equations, axis=0):
        left = _TOLERANCE - (nz * z + ny * y + offset)  # x * nx is less than this
        if abs(nx) < _FLAT:
            high[left <= 0] = -np.inf
        elif nx > 0:
            np.minimum(high, left / nx, out=high)
        else:
            np.maximum(low, left / nx, out=low)
    x = np.arange(mask.shape[2])
    return (x > low[..., np.newaxis]) & (x < high[..., np.newaxis])


def _outermost(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the coordinates of the first and last voxel of each row."""
    full = np.nonzero(mask.any(axis=-1))
    first = mask[full].argmax(axis=-1)
    last = mask.shape[-1] - 1 - mask[full][:, ::-1].argmax(axis=-1)
    ends = [np.stack([*full, x], axis=1) for x in (first, last)]
    return np.unique(np.concatenate(ends), axis=0)


def _ends(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the points half a pixel beyond the first and last pixel of each row along each axis.

    Of a convex object they are the corners of its outline at half height, by which scikit-image
    measures the largest diameter.
    """
    found = []
    for axis in range(mask.ndim):
        turned = np.moveaxis(mask, axis, -1)
        full = np.nonzero(turned.any(axis=-1))
        lines = turned[full]
        first = lines.argmax(axis=-1) - 0.5
        last = lines.shape[-1] - 0.5 - lines[:, ::-1].argmax(axis=-1)
        found += [
            np.insert(np.stack(full, axis=1).astype(float), axis, x, 1) for x in (first, last)
        ]
    return np.concatenate(found)


def _diameter(points: NDArray[np.float64]) -> float:
    """Return the largest distance of two points, which do not lie in a line or plane."""
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    if len(points) > _FEW_POINTS:
        points = points[ConvexHull(points).vertices]
    return math.sqrt(float(pdist(points, "sqeuclidean").max()))


def _surface(mask: NDArray[np.bool_], spacing: Sequence[float]) -> tuple[float, float]:
    from skimage import measure

    find: Any = measure.marching_cubes  # without types
    area: Any = measure.mesh_surface_area
    corners, triangles, _, _ = find(np.pad(mask, 1).astype(np.float32), 0.5)
    scaled = corners * np.asarray(spacing)
    return float(area(corners, triangles)), float(area(scaled, triangles))
