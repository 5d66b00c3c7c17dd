"""Single objects of a labels array: where one lies, how one is cut, what lies between two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LabelledObject", "bridge", "cut_along", "object_at", "objects_within"]

_FIRST_REACH = 32  # pixels around a point that are looked at first; most cells lie within


@dataclass(frozen=True)
class LabelledObject:
    """An object of a labels array.

    Attributes
    ----------
    number : int
        Its label.
    window : tuple of slice
        A box of the array that the object lies in.
    mask : ndarray of bool
        The pixels of the object, in the window.
    """

    number: int
    window: tuple[slice, ...]
    mask: NDArray[np.bool_]

    @property
    def indices(self) -> tuple[NDArray[np.intp], ...]:
        """The pixels of the object, as indices of the array."""
        return tuple(
            found + part.start
            for found, part in zip(np.nonzero(self.mask), self.window, strict=True)
        )


def object_at(
    labels: NDArray[Any], point: Sequence[int], free: Sequence[int]
) -> LabelledObject | None:
    """Return the object that holds a pixel, without looking at more of the array than it takes.

    Parameters
    ----------
    labels : ndarray of int
    point : sequence of int
        The pixel.
    free : sequence of int
        The axes that the object may reach along; along the others it is one pixel thick.

    Returns
    -------
    LabelledObject or None
        None where the pixel is background, or outside the array.
    """
    if not all(0 <= at < size for at, size in zip(point, labels.shape, strict=True)):
        return None
    number = int(labels[tuple(point)])
    if number == 0:
        return None
    low = [at - _FIRST_REACH if axis in free else at for axis, at in enumerate(point)]
    high = [at + _FIRST_REACH + 1 if axis in free else at + 1 for axis, at in enumerate(point)]
    while True:
        window = tuple(
            slice(max(0, a), min(size, b))
            for a, b, size in zip(low, high, labels.shape, strict=True)
        )
        mask = np.asarray(labels[window]) == number
        grown = False
        for axis in free:
            reach = max(_FIRST_REACH, window[axis].stop - window[axis].start)
            if window[axis].start > 0 and mask.take(0, axis).any():
                low[axis], grown = low[axis] - reach, True
            if window[axis].stop < labels.shape[axis] and mask.take(-1, axis).any():
                high[axis], grown = high[axis] + reach, True
        if not grown:
            return _trimmed(number, window, mask)


def _trimmed(number: int, window: tuple[slice, ...], mask: NDArray[np.bool_]) -> LabelledObject:
    """Return an object in the smallest window that holds it."""
    inner = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        inner.append(slice(int(found[0]), int(found[-1]) + 1))
    outer = tuple(
        slice(part.start + cut.start, part.start + cut.stop)
        for part, cut in zip(window, inner, strict=True)
    )
    return LabelledObject(number, outer, mask[tuple(inner)])


def objects_within(
    labels: NDArray[Any], plane: tuple[int | slice, ...], inside: NDArray[np.bool_]
) -> list[tuple[int, ...]]:
    """Return a pixel of every object that mostly lies within an area of a plane.

    Parameters
    ----------
    labels : ndarray of int
    plane : tuple of int or slice
        The plane, as an index of the array; two axes are slices.
    inside : ndarray of bool, 2D
        The area, in the plane.

    Returns
    -------
    list of tuple of int
        One pixel for each object, in the order of their numbers.
    """
    shown = np.asarray(labels[plane])
    numbers, first, counts = np.unique(shown, return_index=True, return_counts=True)
    within = dict(zip(*np.unique(shown[inside], return_counts=True), strict=True))
    points = []
    for number, at, count in zip(numbers, first, counts, strict=True):
        if number == 0 or within.get(number, 0) * 2 <= count:
            continue
        across = iter(np.unravel_index(int(at), shown.shape))
        points.append(
            tuple(
                int(next(across)) + (part.start or 0) if isinstance(part, slice) else part
                for part in plane
            )
        )
    return points


def cut_along(
    mask: NDArray[np.bool_], line: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Cut an object in two along a line.

    The pixels of the line itself go to the nearer part.

    Parameters
    ----------
    mask : ndarray of bool
        The object.
    line : ndarray of bool
        The pixels of the line; of the same shape.

    Returns
    -------
    tuple of ndarray of bool or None
        The larger and the smaller part; None if the line does not cut the object apart.
    """
    from scipy import ndimage  # takes long to load

    parts, count = ndimage.label(mask & ~line)
    if count < 2:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    largest, second = np.argsort(sizes)[::-1][:2] + 1
    # Every pixel goes to the nearer of the two; splinters beside the line do, too.
    distances = [ndimage.distance_transform_edt(parts != part) for part in (largest, second)]
    nearer = distances[0] <= distances[1]
    nearer[parts == largest], nearer[parts == second] = True, False
    return mask & nearer, mask & ~nearer


def bridge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close the gap of a pixel or two that lies between two objects that are to be one."""
    from scipy import ndimage

    padded = np.pad(mask, 2)
    ball = ndimage.generate_binary_structure(mask.ndim, 1)
    closed = ndimage.binary_closing(padded, ball, iterations=2)
    return np.asarray(closed[(slice(2, -2),) * mask.ndim], bool)
