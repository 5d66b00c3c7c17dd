"""Shapes that the user drew around a part of an image, as outlines on its grid."""

import numpy as np
from numpy.typing import NDArray

from napari.layers import Shapes
from unet_napari._napari.layers.grid import LayerGrid
from unet_napari.errors import LabelsError
from unet_napari.labels.outlines import Outline
from unet_napari.labels.sparse import SparseArray

__all__ = ["outlines", "regions_of"]

_ELLIPSE_POINTS = 64
_FLAT_SPAN = 0.5  # pixels; an outline that varies by less along an axis lies in a plane across it


def regions_of(
    shapes: Shapes, grid: LayerGrid, chosen_in: str = "Complete in, under Data"
) -> tuple[Outline, ...]:
    """Return the shapes of a layer as regions of an image; lines enclose nothing.

    Parameters
    ----------
    shapes : napari.layers.Shapes
    grid : LayerGrid
        Pixels of the image.
    chosen_in : str
        Field in which the layer was chosen, as messages call it.

    Raises
    ------
    LabelsError
        If a shape lies in no plane of the image.
    """
    regions = []
    for vertices, kind in zip(shapes.data, shapes.shape_type, strict=True):
        if kind not in ("line", "path"):
            corners = np.asarray(vertices, float)
            points = _ellipse(corners) if kind == "ellipse" else corners
            regions.append(
                _region(grid.points(shapes, points), grid, f"'{shapes.name}' ({chosen_in})")
            )
    return tuple(regions)


def outlines(mask: SparseArray) -> list[NDArray[np.floating]]:
    """Return polygons that `fill` makes a mask of again, in each plane of its last two axes.

    A hole in a region is filled.

    Parameters
    ----------
    mask : SparseArray of bool

    Returns
    -------
    list of ndarray of float
        The corners of each polygon, shape (corners, axes of the mask).
    """
    from skimage.measure import find_contours  # loads SciPy

    polygons = []
    for key in sorted({box.start[:-2] for box in mask.boxes()}):
        plane = np.pad(mask[key], 1).astype(float)
        for contour in find_contours(plane, 0.5):  # type: ignore[no-untyped-call]
            at = np.broadcast_to(np.array(key, float), (len(contour) - 1, len(key)))
            polygons.append(np.hstack([at, contour[:-1] - 1]))
    return polygons


def _region(points: NDArray[np.floating], grid: LayerGrid, layer: str) -> Outline:
    known = ~np.isnan(points[0])
    varying = [int(axis) for axis in np.flatnonzero(known) if np.ptp(points[:, axis]) > _FLAT_SPAN]
    if len(varying) > 2:
        raise LabelsError(
            f"A shape of {layer} is tilted against the image: draw it "
            f"while two of the axes {', '.join(grid.axes)} are shown."
        )
    last = [axis for axis in range(points.shape[1] - 1, -1, -1) if axis not in varying]
    plane = sorted([*varying, *last[: 2 - len(varying)]])
    index = tuple(
        round(float(points[0, axis])) if known[axis] else None
        for axis in range(points.shape[1])
        if axis not in plane
    )
    return Outline((int(plane[0]), int(plane[1])), points[:, plane], index)


def _ellipse(corners: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return points around an ellipse, which is given by the corners of its box."""
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)[:, np.newaxis]
    centre = corners.mean(axis=0)
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    return np.asarray(centre + np.cos(angles) * across + np.sin(angles) * down)
