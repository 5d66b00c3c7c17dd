"""Single objects of a labels array: where one lies, how one is cut, what lies between two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LabelledObject",
    "bridge",
    "cut_along",
    "halves",
    "neighbour_of",
    "object_at",
    "objects_within",
]

_FIRST_REACH = 32  # pixels around a point that are looked at first; most cells lie within
_BESIDE = 2  # pixels between two cells that count as touching
_SMOOTHED_ROWS = 3  # rows of pixels whose widths are added up


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

    @property
    def pixel(self) -> tuple[int, ...]:
        """One of the pixels, as an index of the array."""
        return tuple(int(axis[0]) for axis in self.indices)


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


def halves(mask: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Cut an object in two, across its longest direction, where it is narrowest.

    The cut lies in the middle half of the object, so that no splinter is cut off.

    Parameters
    ----------
    mask : ndarray of bool
        The object.

    Returns
    -------
    tuple of ndarray of bool or None
        The larger and the smaller part; None if the object is a single pixel.
    """
    pixels = np.argwhere(mask)
    if len(pixels) < 2:
        return None
    centred = pixels - pixels.mean(axis=0)
    direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along = centred @ direction
    first, last = np.quantile(along, [0.25, 0.75])
    widths = np.bincount(np.rint(along - along.min()).astype(int)).astype(float)
    if widths.size >= _SMOOTHED_ROWS:  # slanted rows of pixels hold now more, now fewer
        widths = np.convolve(
            np.pad(widths, _SMOOTHED_ROWS // 2, mode="edge"), np.ones(_SMOOTHED_ROWS), "valid"
        )
    places = along.min() + np.arange(widths.size)
    inner = (places >= first) & (places <= last)
    middle = (first + last) / 2
    # Of places that are equally narrow, the one in the middle.
    aside = 1 + np.abs(places - middle) / max(last - first, 1.0)
    cut = places[inner][np.argmin((widths * aside)[inner])] if inner.any() else 0.0
    part = np.zeros_like(mask)
    part[tuple(pixels[along < cut].T)] = True
    rest = mask & ~part
    if not part.any() or not rest.any():
        return None
    return (part, rest) if part.sum() > rest.sum() else (rest, part)


def neighbour_of(
    found: LabelledObject, labels: NDArray[Any], free: Sequence[int], besides: Sequence[int]
) -> tuple[int, ...] | None:
    """Return a pixel of the object that another one touches most, within two pixels.

    Parameters
    ----------
    found : LabelledObject
        The object.
    labels : ndarray of int
        Labels that hold its neighbours.
    free : sequence of int
        The axes that objects may reach along.
    besides : sequence of int
        Numbers that are no neighbours.
    """
    from scipy import ndimage  # takes long to load

    window = tuple(
        slice(max(0, part.start - _BESIDE), part.stop + _BESIDE) if axis in free else part
        for axis, part in enumerate(found.window)
    )
    around = np.asarray(labels[window])
    mask = np.zeros(around.shape, bool)
    mask[
        tuple(
            slice(part.start - outer.start, part.stop - outer.start)
            for part, outer in zip(found.window, window, strict=True)
        )
    ] = found.mask
    ball = ndimage.generate_binary_structure(mask.ndim, 1)
    ring = ndimage.binary_dilation(mask, ball, iterations=_BESIDE) & ~mask
    ring &= ~np.isin(around, [0, *besides])
    if not ring.any():
        return None
    numbers, counts = np.unique(around[ring], return_counts=True)
    at = np.argwhere(ring & (around == numbers[np.argmax(counts)]))[0]
    return tuple(int(a + part.start) for a, part in zip(at, window, strict=True))


def bridge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close the gap of a pixel or two that lies between two objects that are to be one."""
    from scipy import ndimage

    padded = np.pad(mask, 2)
    ball = ndimage.generate_binary_structure(mask.ndim, 1)
    closed = ndimage.binary_closing(padded, ball, iterations=2)
    return np.asarray(closed[(slice(2, -2),) * mask.ndim], bool)
