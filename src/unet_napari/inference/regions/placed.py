"""A region on the pixels of one image: which of them it holds, and in which pieces. No torch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import SettingsError
from unet_napari.geometry import Box, bounding_box
from unet_napari.images.axes import describe_shape
from unet_napari.inference.regions.region import ImageRegion
from unet_napari.labels.label_axes import labels_axes, labels_shape, read_labels
from unet_napari.labels.outlines import Outline
from unet_napari.labels.sparse import boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import Image, LazyArray
    from unet_napari.inference.regions.region import RegionPart

__all__ = ["PlacedRegion", "merged", "place_region"]

_CELL_SIDE = 64  # pixels along Y and X of the cells in which the pieces of a mask are told apart


@dataclass(frozen=True)
class _Drawn:
    """A box, all of it or what an outline encloses in it.

    Attributes
    ----------
    box : Box
        Along all axes of the labels.
    inside : ndarray of bool or None
        What of it counts, with length 1 along the axes that the outline does not lie in.
    """

    box: Box
    inside: NDArray[np.bool_] | None = None

    def add_to(self, mask: NDArray[np.bool_], place: Box) -> None:
        """Add the piece to a mask of a part of the image."""
        shared = self.box.intersect(place)
        if shared.is_empty:
            return
        values: Any = True
        if self.inside is not None:
            sizes = self.inside.shape
            parts = shared.to_slices(self.box)
            key = (part if n > 1 else slice(0, 1) for part, n in zip(parts, sizes, strict=True))
            values = self.inside[tuple(key)]
        mask[shared.to_slices(place)] |= values


@dataclass(frozen=True)
class PlacedRegion:
    """A region on the pixels of an image.

    Attributes
    ----------
    shape : tuple of int
        Shape of the image's labels.
    pieces : tuple of Box
        Boxes that hold all of the region, along the axes of the labels.
    mask : LazyArray or None
        Array that is not 0 in the region, of the shape of the labels or of their last axes, where
        it was given as one.
    """

    shape: tuple[int, ...]
    pieces: tuple[Box, ...]
    mask: LazyArray | None = None
    _drawn: tuple[_Drawn, ...] = ()

    def read(self, box: Box) -> NDArray[np.bool_]:
        """Return which pixels of a box of the labels it holds."""
        if self.mask is not None:
            return _read(self.mask, box)
        mask = np.zeros(box.shape, bool)
        for piece in self._drawn:
            piece.add_to(mask, box)
        return mask


def place_region(region: ImageRegion, image: Image) -> PlacedRegion:
    """Lay a region on an image.

    Parameters
    ----------
    region : ImageRegion
        Parts of it may reach beyond the image.
    image : Image
        The whole image.

    Raises
    ------
    ImageError
        If the file of a mask cannot be read.
    SettingsError
        If it names an axis that the image does not have, a mask has another shape, or it holds no
        pixel of the image.
    """
    shape = labels_shape(image)
    mask = region.mask if region.file is None else read_labels(region.file, image)
    if mask is None:
        drawn = tuple(piece for part in region.parts if (piece := _drawn(part, image)) is not None)
        placed = PlacedRegion(shape, tuple(piece.box for piece in drawn), None, drawn)
    else:
        mask = _fitted(mask, image, region)
        first = Box.whole(shape[: len(shape) - len(mask.shape)])
        pieces = (
            Box((*first.start, *box.start), (*first.stop, *box.stop)) for box in _pieces_of(mask)
        )
        placed = PlacedRegion(shape, tuple(pieces), mask=mask)
    if not placed.pieces:
        raise SettingsError(
            f"The region {region} holds no pixel of '{image.name}', whose axes "
            f"{labels_axes(image)} are {describe_shape(shape)} pixels long."
        )
    return placed


def merged(pieces: Iterable[Box], margin: tuple[int, ...]) -> list[Box]:
    """Return boxes, those as one that overlap where each is larger by a margin."""
    boxes, before = list(pieces), 0
    while len(boxes) != before:
        before = len(boxes)
        numbers = _touching(boxes, margin)
        groups: dict[int, list[Box]] = defaultdict(list)
        for number, box in zip(numbers, boxes, strict=True):
            groups[number].append(box)
        boxes = [Box.around(group) for group in groups.values()]
    return sorted(boxes, key=lambda box: box.start)


def _touching(boxes: list[Box], margin: tuple[int, ...]) -> list[int]:
    """Return a number for each box, the same for boxes that overlap with a margin around each."""
    from scipy.sparse import coo_array, csgraph  # takes a moment

    starts = np.array([box.start for box in boxes]) - margin
    stops = np.array([box.stop for box in boxes]) + margin
    order = np.argsort(starts[:, 0], kind="stable")
    starts, stops = starts[order], stops[order]
    # Along the first axis only those that begin before a box ends can overlap it.
    ends = np.searchsorted(starts[:, 0], stops[:, 0])
    pairs = []
    for first, end in enumerate(ends.tolist()):
        others = slice(first + 1, end)
        near = (starts[others] < stops[first]) & (stops[others] > starts[first])
        pairs += [(first, first + 1 + int(at)) for at in np.flatnonzero(near.all(axis=1))]
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(boxes),) * 2)
    _, found = csgraph.connected_components(graph, directed=False)
    numbers = np.empty(len(boxes), int)
    numbers[order] = found
    return [int(number) for number in numbers]


def _drawn(part: RegionPart, image: Image) -> _Drawn | None:
    """Return a box or an outline on the pixels of an image; None if it holds none of them."""
    axes, shape = labels_axes(image), labels_shape(image)
    spans = dict(part.spans)
    for letter in set(part.axes) - set(axes):
        start, stop = spans.pop(letter, (1, None))
        single = letter in image.axes and letter not in image.fixed and letter not in part.plane
        if not single or start > 0 or stop == 0:
            raise SettingsError(
                f"The region {part} names the axis {letter}, but '{image.name}' has only "
                f"{', '.join(axes)}."
            )
    box = Box.whole(shape)
    for letter, (start, stop) in spans.items():
        axis = axes.index(letter)
        end = shape[axis] if stop is None else min(stop, shape[axis])
        box = box.replace_axis(axis, min(start, end), end)
    if not part.plane:
        return None if box.is_empty else _Drawn(box)
    plane = (axes.index(part.plane[0]), axes.index(part.plane[1]))
    corners = np.array(part.corners, float)
    if plane[0] > plane[1]:
        plane, corners = (plane[1], plane[0]), corners[:, ::-1]
    outline = Outline(plane, corners, (None,) * (len(axes) - 2))
    around, inside = outline.inside(shape)
    tight = bounding_box(inside)
    if tight is None or box.is_empty:
        return None
    for axis, (start, stop) in zip(plane, tight.spans, strict=True):
        box = box.replace_axis(axis, around.start[axis] + start, around.start[axis] + stop)
    others = tuple(axis for axis in range(len(axes)) if axis not in plane)
    return _Drawn(box, np.expand_dims(inside[tight.to_slices()], others))


def _fitted(mask: LazyArray, image: Image, region: ImageRegion) -> LazyArray:
    """Return a mask that may lack the first axes of the labels, which it goes through then."""
    shape, given = labels_shape(image), tuple(mask.shape)
    if given != shape[len(shape) - len(given) :] or len(given) < 2:
        raise SettingsError(
            f"The region ({region}) has the shape {given}, but the labels of '{image.name}' have "
            f"{shape}: it needs that shape, or that of the last axes."
        )
    return mask


def _read(mask: LazyArray, box: Box) -> NDArray[np.bool_]:
    """Read a box of a mask that may lack the first axes."""
    slices = box.to_slices()[box.ndim - len(mask.shape) :]
    part = np.asarray(mask[slices]) != 0
    return np.broadcast_to(part, box.shape)


def _pieces_of(mask: LazyArray) -> Iterator[Box]:
    """Yield boxes around the parts of a mask that lie apart, without its first axes.

    Parts that lie in one cell of some pixels, or in cells that touch, count as one.
    """
    from scipy import ndimage  # takes a moment

    sides = [_CELL_SIDE if axis >= len(mask.shape) - 2 else 1 for axis in range(len(mask.shape))]
    counts = [math.ceil(n / side) for n, side in zip(mask.shape, sides, strict=True)]
    cells = np.zeros(counts, bool)
    for box in boxes(mask):
        at = np.nonzero(np.asarray(mask[box.to_slices()]))
        keys = ((a + start) // side for a, start, side in zip(at, box.start, sides, strict=True))
        cells[tuple(keys)] = True
    numbers, _ = ndimage.label(cells, np.ones((3,) * cells.ndim))
    for found in ndimage.find_objects(numbers):
        spans = zip(found, sides, mask.shape, strict=True)
        box = Box.from_spans((s.start * n, min(s.stop * n, size)) for s, n, size in spans)
        tight = bounding_box(np.asarray(mask[box.to_slices()]) != 0)
        if tight is not None:
            yield tight.absolute_in(box)
