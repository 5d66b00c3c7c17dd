"""Shapes that the user drew around what is painted completely, filled on the grid of an image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari.layers import Shapes
from unet_napari._napari.layers.grid import LayerGrid
from unet_napari.errors import LabelsError
from unet_napari.geometry import Box
from unet_napari.labels.sparse import SparseArray

__all__ = ["Outline", "fill", "outlines", "regions_of"]

_ELLIPSE_POINTS = 64
_FLAT_SPAN = 0.5  # pixels; an outline that varies by less along an axis lies in a plane across it


@dataclass(frozen=True)
class Outline:
    """The outline of what is annotated completely, in a plane of two of an image's axes.

    Attributes
    ----------
    plane : tuple of (int, int)
        The axes that it is drawn along.
    outline : ndarray of float
        Points of the outline on the image's grid, shape (points, 2).
    index : tuple of int or None
        Its position along every other axis, in order; None along an axis on all of which it counts.
    """

    plane: tuple[int, int]
    outline: NDArray[np.floating]
    index: tuple[int | None, ...]


def regions_of(shapes: Shapes, grid: LayerGrid) -> tuple[Outline, ...]:
    """Return the shapes of a layer as regions of an image; lines enclose nothing.

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
            regions.append(_region(grid.points(shapes, points), grid, shapes.name))
    return tuple(regions)


def fill(regions: Iterable[Outline], shape: Sequence[int]) -> SparseArray:
    """Return what regions cover of an image, as bool."""
    from skimage.draw import polygon2mask  # loads SciPy

    mask = SparseArray(shape, bool)
    for region in regions:
        sizes = [shape[axis] for axis in region.plane]
        inside = polygon2mask(sizes, region.outline)  # type: ignore[no-untyped-call]
        others = [axis for axis in range(len(shape)) if axis not in region.plane]
        positions = [
            range(shape[axis]) if at is None else range(max(0, at), min(shape[axis], at + 1))
            for axis, at in zip(others, region.index, strict=True)
        ]
        for key in np.ndindex(*(len(places) for places in positions)):
            box = Box.whole(shape)
            for axis, places, i in zip(others, positions, key, strict=True):
                box = box.replace_axis(axis, places[i], places[i] + 1)
            mask.put(box, np.expand_dims(inside, tuple(others)), add=True)
    return mask


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


def _region(points: NDArray[np.floating], grid: LayerGrid, name: str) -> Outline:
    known = ~np.isnan(points[0])
    varying = [int(axis) for axis in np.flatnonzero(known) if np.ptp(points[:, axis]) > _FLAT_SPAN]
    if len(varying) > 2:
        raise LabelsError(
            f"A shape of '{name}' (Complete in, under Data) is tilted against the image: draw it "
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
