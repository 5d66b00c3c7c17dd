"""The territory of a found object: the pixels that are nearer to it than to any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet_napari._napari.corrections.objects import LabelledObject, object_at
from unet_napari.geometry import Box

__all__ = ["Territory", "outline", "territory_of"]

_MARGIN = 16  # pixels around an object that are looked at first
_MOST = 1 << 20  # pixels that are looked at; in more it would take noticeable time


@dataclass(frozen=True)
class Territory:
    """The pixels that are nearer to an object than to any other.

    Attributes
    ----------
    box : Box
        The part of the labels that was looked at.
    own : ndarray of bool
        The pixels of the object in it.
    mask : ndarray of bool
        The territory in it, which holds the object.
    goes_on : bool
        Whether the territory may reach beyond the part.
    """

    box: Box
    own: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    goes_on: bool


def territory_of(
    labels: NDArray[Any],
    point: Sequence[int],
    free: Sequence[int],
    spacing: Sequence[float],
    *,
    bounds: Box | None = None,
    most: int = _MOST,
) -> Territory | None:
    """Return the territory of the object at a pixel, looking only around the object.

    Parameters
    ----------
    labels : array of int
        All labels.
    point : sequence of int
        A pixel of the object.
    free : sequence of int
        The axes that an object may reach along; along the others it is one pixel thick.
    spacing : sequence of float
        Size of a pixel along each axis, which distances are measured in.
    bounds : Box, optional
        The part of the labels that is shared out among the objects that have a pixel in it; by
        default all of them.
    most : int
        Number of pixels that are looked at, unless the object itself takes more.

    Returns
    -------
    Territory or None
        None where there is no object, or none of it within the bounds.
    """
    found = object_at(labels, point, free)
    if found is None:
        return None
    bounds = bounds or Box.whole(labels.shape)
    if Box.from_slices(found.window).intersect(bounds).is_empty:
        return None
    margin = _MARGIN
    last: Territory | None = None
    while True:
        reach = [margin if axis in free else 0 for axis in range(len(labels.shape))]
        box = Box.from_slices(found.window).grow(reach).intersect(bounds)
        if last is not None and box.size > most:
            return last
        last = _within(labels, found, box, bounds, free, spacing)
        if not last.goes_on:
            return last
        margin *= 2


def _within(
    labels: NDArray[Any],
    found: LabelledObject,
    box: Box,
    bounds: Box,
    free: Sequence[int],
    spacing: Sequence[float],
) -> Territory:
    """Return the territory as far as it lies in a box, by the objects in that box."""
    from scipy import ndimage  # takes long to load

    part = np.asarray(labels[box.to_slices()])
    distance, nearest = ndimage.distance_transform_edt(
        part == 0, sampling=spacing, return_indices=True
    )
    mask = part[tuple(nearest)] == found.number
    goes_on = False
    for axis in free:
        (start, stop), (first, last) = box.spans[axis], bounds.spans[axis]
        at = np.arange(stop - start)
        # An object beyond the box is at least as far away as the first pixel beyond its edge.
        before = at + 1.0 if start > first else np.full(at.size, np.inf)
        after = at[::-1] + 1.0 if stop < last else np.full(at.size, np.inf)
        beyond = spacing[axis] * np.minimum(before, after)
        across = [-1 if other == axis else 1 for other in range(part.ndim)]
        goes_on |= bool((mask & (distance > beyond.reshape(across))).any())
    return Territory(box, part == found.number, mask, goes_on)


def outline(
    mask: NDArray[np.bool_], start: Sequence[int], plane: tuple[int, int]
) -> NDArray[np.float32]:
    """Return lines around the pixels of a mask, in each of its planes.

    Parameters
    ----------
    mask : ndarray of bool
    start : sequence of int
        The first pixel of the mask, in the labels.
    plane : tuple of int
        The two axes of the planes.

    Returns
    -------
    float ``(N, 2, mask.ndim)``
        Start and direction of each line, in pixels of the labels.
    """
    return np.concatenate([_edges(mask, start, plane), _edges(mask, start, plane[::-1])])


def _edges(
    mask: NDArray[np.bool_], start: Sequence[int], plane: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return the lines that run along the second axis of a plane."""
    across, along = plane
    ordered = np.moveaxis(mask, (across, along), (-2, -1))
    padded = np.pad(ordered, [(0, 0)] * (mask.ndim - 2) + [(1, 1), (0, 0)])
    edge = (padded[..., 1:, :] != padded[..., :-1, :]).astype(np.int8)
    steps = np.diff(edge, axis=-1, prepend=0, append=0)
    first, stop = np.argwhere(steps == 1), np.argwhere(steps == -1)
    others = [axis for axis in range(mask.ndim) if axis not in plane]
    order = [*others, across, along]
    lines = np.zeros((len(first), 2, mask.ndim), np.float32)
    lines[:, 0, order] = first
    lines[:, 0] += np.asarray(start, np.float32)
    lines[:, 0, [across, along]] -= 0.5  # a pixel begins half of one before its middle
    lines[:, 1, along] = stop[:, -1] - first[:, -1]
    return lines
