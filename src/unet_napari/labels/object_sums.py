"""Sums over the pixels of each object, block by block, exact whatever the blocks are.

All sums but those of intensities are whole numbers, so that sums over blocks add up to the sums
over the whole without a rounding error. No torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.labels.label_blocks import number_ids, refuse_negative, whole_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.geometry import Box

__all__ = ["HALO", "ObjectSums", "add_up", "block_sums", "empty_sums"]

HALO = 2
"""Pixels around a block that its perimeters depend on."""

# Kinds of pixels on an outline by the weights that they have in its length, see `_steps`: the
# value of a pixel is 1, and 2 for each neighbour beside and 10 for each neighbour across.
_STRAIGHT, _DIAGONAL, _MIXED = (5, 7, 15, 17, 25, 27), (21, 33), (13, 23)
_BESIDE, _ACROSS = 2, 10
# Intensities: sum, smallest, largest.
_SUM, _LOW, _HIGH = range(3)


@dataclass(frozen=True, eq=False)
class ObjectSums:
    """Sums of `n` objects, ascending by their ids, in an image of `d` axes.

    Attributes
    ----------
    ids : ndarray of uint64, shape (n,)
    pixels : ndarray of int64, shape (n,)
        Number of pixels.
    start, stop : ndarray of int64, shape (n, d)
        Bounding box, in pixels of the whole image.
    first : ndarray of int64, shape (n, d)
        Sums of the coordinates, counted from `start`.
    second : ndarray of int64, shape (n, d * (d + 1) / 2)
        Sums of the products of two coordinates, in the order of `pairs_of_axes`.
    steps : ndarray of int64, shape (n, 3)
        Number of pixels on the outline that count 1, the root of 2, and half of their sum.
    intensity : ndarray of float64, shape (n, channels, 3)
        Sum, smallest and largest value in each channel.
    """

    ids: NDArray[np.uint64]
    pixels: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    steps: NDArray[np.int64]
    intensity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def central(self) -> NDArray[np.float64]:
        """Return the central moments of second order by the pixels, shape (n, d, d)."""
        ndim = self.start.shape[1]
        pixels = self.pixels.astype(np.float64)
        mean = self.first / pixels[:, np.newaxis]
        moments = np.zeros((len(self), ndim, ndim))
        for column, (i, j) in enumerate(pairs_of_axes(ndim)):
            value = self.second[:, column] / pixels - mean[:, i] * mean[:, j]
            moments[:, i, j] = moments[:, j, i] = value
        return moments


def pairs_of_axes(ndim: int) -> list[tuple[int, int]]:
    """Return the pairs of axes of which there are products of coordinates."""
    return list(itertools.combinations_with_replacement(range(ndim), 2))


def empty_sums(ndim: int, channels: int) -> ObjectSums:
    """Return the sums of no object."""
    axes = np.zeros((0, ndim), np.int64)
    return ObjectSums(
        ids=np.zeros(0, np.uint64),
        pixels=np.zeros(0, np.int64),
        start=axes,
        stop=axes,
        first=axes,
        second=np.zeros((0, len(pairs_of_axes(ndim))), np.int64),
        steps=np.zeros((0, 3), np.int64),
        intensity=np.zeros((0, channels, 3)),
    )


def block_sums(
    labels: NDArray[Any], around: Box, box: Box, pixels: NDArray[Any] | None, *, outlines: bool
) -> ObjectSums:
    """Return the sums over one block.

    Parameters
    ----------
    labels : ndarray of int
        Labels of `around`.
    around : Box
        The block with `HALO` pixels more on every side, as far as the image reaches.
    box : Box
        The block.
    pixels : ndarray, shape (channels, *box.shape), optional
        The image there.
    outlines : bool
        Whether to count the steps of the outlines, which takes an image of two axes.

    Raises
    ------
    LabelsError
        If the labels are no whole numbers from 0 up.
    """
    whole = whole_numbers(labels)
    refuse_negative(whole)
    inner = np.ascontiguousarray(whole[box.to_slices(around)])
    channels = 0 if pixels is None else len(pixels)
    where = np.flatnonzero(inner)
    if not where.size:
        return empty_sums(box.ndim, channels)
    ids, number = number_ids(inner.ravel()[where])
    count = len(ids)
    places = np.stack(np.unravel_index(where, inner.shape))
    start, stop = np.full((box.ndim, count), np.iinfo(np.int64).max), np.zeros((box.ndim, count))
    stop = stop.astype(np.int64)
    for axis, place in enumerate(places):
        np.minimum.at(start[axis], number, place)
        np.maximum.at(stop[axis], number, place + 1)
        place -= start[axis][number]

    def total(weights: NDArray[Any]) -> NDArray[np.int64]:  # exact up to 2**53
        return np.bincount(number, weights, minlength=count).astype(np.int64)

    second = [total(places[i] * places[j]) for i, j in pairs_of_axes(box.ndim)]
    origin = np.array(box.start)
    return ObjectSums(
        ids.astype(np.uint64),
        np.bincount(number, minlength=count).astype(np.int64),
        start.T + origin,
        stop.T + origin,
        np.stack([total(place) for place in places], axis=1),
        np.stack(second, axis=1),
        _steps(whole, box.to_slices(around), ids) if outlines else np.zeros((count, 3), np.int64),
        _intensities(pixels, where, number, count),
    )


def _intensities(
    pixels: NDArray[Any] | None, where: NDArray[np.intp], number: NDArray[np.int32], count: int
) -> NDArray[np.float64]:
    found = np.zeros((count, 0 if pixels is None else len(pixels), 3))
    for channel, plane in enumerate(() if pixels is None else pixels):
        values = plane.ravel()[where].astype(np.float64)
        low, high = np.full(count, np.inf), np.full(count, -np.inf)
        np.minimum.at(low, number, values)
        np.maximum.at(high, number, values)
        found[:, channel, _SUM] = np.bincount(number, values, minlength=count)
        found[:, channel, _LOW], found[:, channel, _HIGH] = low, high
    return found


def _steps(
    labels: NDArray[np.integer], inner: tuple[slice, ...], ids: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Count the pixels on the outline of each object by their weight in its length.

    The rule is that of `skimage.measure.perimeter` (Benkrid and Crookes 2000): a pixel is on the
    outline if one of the four beside it is not of the object, and its weight depends on how many of
    the eight around it are on the same outline.
    """
    padded = np.pad(labels, HALO)
    middle = padded[1:-1, 1:-1]
    edge = np.zeros(padded.shape, bool)
    others = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    edge[1:-1, 1:-1] = (middle != 0) & np.logical_or.reduce([o != middle for o in others])
    shifted = tuple(slice(part.start + HALO, part.stop + HALO) for part in inner)
    rows, columns = np.nonzero(edge[shifted])
    rows, columns = rows + shifted[0].start, columns + shifted[1].start
    own = padded[rows, columns]
    value = np.ones(own.size, np.int64)
    for down, right in itertools.product((-1, 0, 1), repeat=2):
        weight = _ACROSS if down and right else _BESIDE if down or right else 0
        at = (rows + down, columns + right)
        value += weight * (edge[at] & (padded[at] == own))
    number = np.searchsorted(ids, own)
    kinds = (_STRAIGHT, _DIAGONAL, _MIXED)
    counts = [np.bincount(number[np.isin(value, k)], minlength=len(ids)) for k in kinds]
    return np.stack(counts, axis=1).astype(np.int64)


def add_up(parts: Sequence[ObjectSums]) -> ObjectSums:
    """Return the sums of some parts together; there is at least one part."""
    joined = {
        item.name: np.concatenate([getattr(part, item.name) for part in parts])
        for item in fields(ObjectSums)
    }
    order = np.argsort(joined["ids"], kind="stable")
    rows = ObjectSums(**{name: values[order] for name, values in joined.items()})
    if not len(rows):
        return rows
    begins = np.flatnonzero(np.concatenate([[True], rows.ids[1:] != rows.ids[:-1]]))
    group = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(rows)))
    start = np.minimum.reduceat(rows.start, begins)
    move = rows.start - start[group]  # from the start of the part to that of the whole
    pixels = rows.pixels[:, np.newaxis]
    second = [
        rows.second[:, column]
        + move[:, i] * rows.first[:, j]
        + move[:, j] * rows.first[:, i]
        + move[:, i] * move[:, j] * rows.pixels
        for column, (i, j) in enumerate(pairs_of_axes(start.shape[1]))
    ]
    low, high = rows.intensity[..., _LOW], rows.intensity[..., _HIGH]
    intensity = np.stack(
        [
            np.add.reduceat(rows.intensity[..., _SUM], begins),
            np.minimum.reduceat(low, begins),
            np.maximum.reduceat(high, begins),
        ],
        axis=-1,
    )
    return ObjectSums(
        rows.ids[begins],
        np.add.reduceat(rows.pixels, begins),
        start,
        np.maximum.reduceat(rows.stop, begins),
        np.add.reduceat(rows.first + pixels * move, begins),
        np.add.reduceat(np.stack(second, axis=1), begins),
        np.add.reduceat(rows.steps, begins),
        intensity,
    )
