"""The pixels that training learns from: painted ones, and unpainted ones that are background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from unet_napari.errors import LabelsError
from unet_napari.geometry import bounding_box
from unet_napari.labels.closed_ring import closed_ring, distance, near_boxes
from unet_napari.labels.label_blocks import number_ids
from unet_napari.labels.measure import diameter_of_size
from unet_napari.labels.painted_planes import WHOLE, painted_planes
from unet_napari.tasks.kinds.catalogue import task_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Rule", "Unpainted", "annotated_mask", "unpainted_rule"]

Unpainted: TypeAlias = Literal["auto", "ignore", "background"]
Rule: TypeAlias = Literal["ignore", "background", "nearby"]

# Width of the ring around painted cells that counts as background: a share of the diameter of a
# cell, but at least this number of pixels.
_RING_SHARE = 0.2
_RING_PIXELS = 3.0
# Pixel size along an axis at which planes across it are too far apart to reach each other.
_FAR_APART = 1e6


def unpainted_rule(task: str, unpainted: Unpainted, *, has_region: bool) -> Rule:
    """Return what a pixel of 0 means: nothing, background, or background near painted cells.

    Raises
    ------
    LabelsError
        For cells with ``unpainted="ignore"`` and no annotated region.
    """
    if unpainted == "background":
        return "background"
    kind = task_kind(task)
    if unpainted == "auto":
        return kind.zero_rule
    if kind.separates_objects and not has_region:
        raise LabelsError(
            "With unpainted pixels ignored, nothing says where cells end: mark a fully annotated "
            'region, or set unpainted pixels to "auto" or "background".'
        )
    return "ignore"


def annotated_mask(
    labels: NDArray[Any],
    *,
    task: str,
    unpainted: Unpainted = "auto",
    annotated: NDArray[Any] | None = None,
    spacing: Sequence[float] | None = None,
) -> NDArray[np.bool_]:
    """Mark the pixels that training learns from: painted ones, and 0 where it is background.

    Parameters
    ----------
    labels
        Painted labels ``(*S)`` in memory, with as many axes as the network. For a 2D network the
        slices of a stack come one by one.
    task, unpainted
        Task and meaning of 0, as in `check_labels`.
    annotated
        Nonzero inside regions that are annotated completely, which are always marked.
    spacing
        Pixel size along each axis, in any unit; by default equal along all.

    Raises
    ------
    LabelsError
        For cells with ``unpainted="ignore"`` and no annotated region.
    """
    rule = unpainted_rule(task, unpainted, has_region=annotated is not None)
    if rule == "background":
        return np.ones(labels.shape, bool)
    mask: NDArray[np.bool_] = np.asarray(labels != 0)
    if rule == "nearby" and mask.any():
        mask = _nearby(labels, spacing or (1.0,) * labels.ndim)
    return mask if annotated is None else mask | (np.asarray(annotated) != 0)


def _nearby(labels: NDArray[Any], spacing: Sequence[float]) -> NDArray[np.bool_]:
    """Return painted cells, the gaps between them too narrow for another cell, and a thin ring.

    The gaps are those that a closing by half a cell's diameter fills: where a ball as large as
    a cell does not fit, nobody forgot to paint one.
    """
    sizes = np.asarray(spacing, float) / min(spacing)
    counts = np.bincount(number_ids(labels[labels != 0])[1])
    diameter = float(diameter_of_size(np.median(counts) * sizes.prod(), labels.ndim))
    ring = max(_RING_PIXELS, _RING_SHARE * diameter)
    painted = bounding_box(labels != 0)
    result = np.zeros(labels.shape, bool)
    if painted is not None:
        # Nothing changes farther from the painted pixels than this.
        margin = np.ceil((diameter + ring) / sizes).astype(int) + 1
        box = painted.grow(margin.tolist()).clip(labels.shape).to_slices()
        result[box] = _near_in_planes(labels[box], diameter, ring, sizes)
    return result


def _near_in_planes(
    labels: NDArray[Any], diameter: float, ring: float, sizes: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return painted cells and the pixels beside them, in the planes in which they were painted."""
    painted = labels != 0
    if labels.ndim < 3:
        return closed_ring(painted, diameter, ring, sizes)
    planes = painted_planes(labels, sizes)
    kinds = set(np.unique(planes[painted]).tolist())
    if len(kinds) == 1:
        return _in_painted_planes(painted, max(0, max(kinds)), diameter, ring, sizes)
    near: NDArray[np.bool_] = painted
    if WHOLE in kinds:
        near = near | _nearer_to_whole(painted, planes == WHOLE, diameter, ring, sizes)
    for axis in kinds - {WHOLE}:
        apart = np.where(np.arange(3) == axis, _FAR_APART, sizes)
        near = near | closed_ring(planes == axis, diameter, ring, apart)
    return near


def _nearer_to_whole(
    painted: NDArray[np.bool_],
    whole: NDArray[np.bool_],
    diameter: float,
    ring: float,
    sizes: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return the pixels beside whole cells that are not nearer to cells painted in planes.

    A pixel off the plane of its nearest cell may belong to that cell, so it is not background, even
    if it lies beside a whole cell that is farther away.
    """
    near = _in_painted_planes(whole, 0, diameter, ring, sizes)
    others = painted & ~whole
    reach = diameter + ring  # No pixel farther from the paint than this is near.
    margins = [math.ceil(reach / size) for size in sizes]
    for box in near_boxes(others, reach, sizes):
        index = box.to_slices()
        doubtful = bounding_box(near[index] & ~painted[index])
        if doubtful is not None:
            part = doubtful.absolute_in(box)
            outer = part.grow(margins).clip(painted.shape)
            around, place = outer.to_slices(), part.to_slices()
            nearer = distance(whole[around], sizes) < distance(others[around], sizes)
            near[place] &= nearer[part.to_slices(outer)] | painted[place]
    return near


def _in_painted_planes(
    painted: NDArray[np.bool_],
    across: int,
    diameter: float,
    ring: float,
    sizes: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return the pixels near the paint, but for those of planes in which nothing is painted.

    The planes are those across one axis. Nobody looked at a plane without paint, so it says
    nothing.
    """
    others = tuple(axis for axis in range(3) if axis != across)
    near = closed_ring(painted, diameter, ring, sizes)
    return near & painted.any(axis=others, keepdims=True)
