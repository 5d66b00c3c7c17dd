"""Measurements of objects: a table with a row for each, named as scikit-image names them.

Sums over pixels are taken block by block, and each object whose shape is asked for is looked at
once in its bounding box, so that memory does not grow with the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import LabelsError, SettingsError, warn_user
from unet_napari.geometry import Box
from unet_napari.labels.measured_columns import SHAPES, check_properties, columns_of
from unet_napari.labels.object_shapes import ObjectShape, object_shape
from unet_napari.labels.object_sums import HALO, ObjectSums, add_up, block_sums, empty_sums
from unet_napari.tasks.kinds.catalogue import task_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import Image

    Table = dict[str, list[float]]
    Tick = Callable[[int, int], None]

__all__ = [
    "check_measurable",
    "diameter_of_size",
    "diameters",
    "measure_objects",
]

# Number of pixels that are measured at a time.
_BLOCK_PIXELS = 2 * 2**20
# An object in a larger bounding box has no shape measured, as that takes some bytes for each pixel.
_LARGEST_OBJECT = 2**26
# Sums are added up when there are so many rows of them.
_MANY_ROWS = 100_000
# From here on the shapes take minutes, which is said.
_MANY_OBJECTS = 200_000


def check_measurable(task: str) -> None:
    """Raise `SettingsError`, before the work, if a task finds no objects that can be measured."""
    if not task_kind(task).separates_objects:
        raise SettingsError(
            "Only cells are measured one by one, but this model tells classes apart: leave the "
            "table out, or choose a model of cells."
        )


def measure_objects(
    labels: Image,
    image: Image | None = None,
    properties: Sequence[str] | None = None,
    *,
    slicewise: bool = False,
    origin: Mapping[str, int] | None = None,
    tick: Tick | None = None,
) -> Table:
    """Measure every object of every time point.

    Parameters
    ----------
    labels : Image
        Labels of the objects without a channel axis; 0 is background.
    image : Image, optional
        The image that they lie on, of the same axes but for the channels, whose intensities are
        measured channel by channel in its own units.
    properties : sequence of str, optional
        Names of some of `measured_columns.PROPERTIES`; by default all.
    slicewise : bool
        Whether each slice of a stack is measured as an image of its own.
    origin : mapping of str to int, optional
        First pixel of the labels along some axes of a larger image.
    tick : callable, optional
        Called now and then with the work done and the whole of it; an exception ends the work.

    Returns
    -------
    dict of str to list
        Columns of equal length, see ``docs/guide/measurements.md``: in a time series ``t``, slice
        by slice ``z``, then ``label`` and the others.

    Raises
    ------
    LabelsError, SettingsError
        If the labels are no whole numbers from 0 up, have channels, or another shape than the
        image, naming both; if there is no such measurement.

    Warns
    -----
    UnetNapariWarning
        If shapes of very many objects are measured, or some are too large for it.
    """
    wanted = check_properties(properties)
    _check_same_shape(labels, image)
    views = list(_views(labels, image, slicewise=slicewise))
    begins = origin or {}
    table: Table = {}
    for number, (index, seen, pixels) in enumerate(views):
        step = _part_of(tick, number, len(views))
        start = tuple(begins.get(axis, 0) for axis in seen.spatial_axes)
        rows = _measure_view(seen, pixels, wanted, start, step)
        count = len(next(iter(rows.values())))
        place: Table = {axis.lower(): [at + begins.get(axis, 0)] * count for axis, at in index}
        for name, values in {**place, **rows}.items():
            table.setdefault(name, []).extend(values)
    return table


def _part_of(tick: Tick | None, number: int, parts: int) -> Tick:
    """Return what tells of one of several parts of equal work."""

    def step(done: int, total: int) -> None:
        if tick is not None:
            tick(number * total + done, parts * total)

    return step


def _check_same_shape(labels: Image, image: Image | None) -> None:
    if labels.channels > 1:
        raise LabelsError(f"{labels.name} has {labels.channels} channels, but labels have none.")
    if image is None:
        return
    shapes = [
        dict(zip(one.spatial_axes, one.shape, strict=True)) | {"T": one.frames}
        for one in (labels, image)
    ]
    if shapes[0] != shapes[1]:
        words = [
            " x ".join(f"{axis} {size}" for axis, size in shape.items() if (axis, size) != ("T", 1))
            for shape in shapes
        ]
        raise LabelsError(
            f"The labels have {words[0]} pixels, but '{image.name}' has {words[1]}: choose the "
            "image that the labels were made of, or measure without an image."
        )


def _views(
    labels: Image, image: Image | None, *, slicewise: bool
) -> Iterator[tuple[tuple[tuple[str, int], ...], Image, Image | None]]:
    """Yield what is measured at a time: where it lies, the labels and the image."""
    frames: Sequence[int | None] = range(labels.frames) if labels.frames > 1 else [None]
    stack = slicewise and labels.ndim == 3
    slices: Sequence[int | None] = range(labels.shape[0]) if stack else [None]
    for frame in frames:
        for depth in slices:
            index = {"T": frame, "Z": depth}
            held = {axis: at for axis, at in index.items() if at is not None}
            seen = None if image is None else image.select(**held)
            yield tuple(held.items()), labels.select(**held), seen


def _measure_view(
    labels: Image,
    image: Image | None,
    wanted: tuple[str, ...],
    start: tuple[int, ...],
    step: Tick,
) -> Table:
    """Measure one time point, or one slice."""
    blocks = _blocks(labels)
    shapes_wanted = [name for name in wanted if name in SHAPES[labels.ndim]]
    passes = 2 if shapes_wanted else 1
    read = any(name.startswith("intensity") for name in wanted)
    outlines = "perimeter" in wanted and labels.ndim == 2
    parts = [empty_sums(labels.ndim, image.channels if image is not None and read else 0)]
    for number, box in enumerate(blocks):
        around = box.grow(HALO if outlines else 0).clip(labels.shape)
        found = labels.read(around.to_slices())[0]
        pixels = None if image is None or not read else image.read(box.to_slices())
        parts.append(block_sums(found, around, box, pixels, outlines=outlines))
        if sum(map(len, parts[1:])) > max(_MANY_ROWS, len(parts[0])):
            parts = [add_up(parts)]
        step(number + 1, passes * len(blocks))
    sums = add_up(parts)
    shapes: list[ObjectShape] | None = None
    if shapes_wanted:
        shapes = _shapes(labels, sums, blocks, shapes_wanted, step)
    return columns_of(labels, sums, shapes, wanted, start)


def _blocks(labels: Image) -> list[Box]:
    """Return the blocks that are read at a time: whole chunks where there are chunks."""
    chunks = getattr(labels.data, "chunks", None)
    sizes = dict(zip(labels.axes, chunks, strict=True)) if chunks is not None else {}
    shape = [sizes.get(axis, 1) for axis in labels.spatial_axes]
    if not all(isinstance(size, int) for size in shape) or math.prod(shape) > _BLOCK_PIXELS:
        shape = [1] * labels.ndim
    for axis in reversed(range(labels.ndim)):
        room = _BLOCK_PIXELS // math.prod(shape)
        shape[axis] = min(shape[axis] * max(1, room), max(1, labels.shape[axis]))
    return Box.whole(labels.shape).blocks(shape)


def _shapes(
    labels: Image, sums: ObjectSums, blocks: Sequence[Box], wanted: Sequence[str], step: Tick
) -> list[ObjectShape]:
    """Measure the shape of each object: in the block that holds all of it, else in its own box."""
    if len(sums) > _MANY_OBJECTS:
        warn_user(
            f"There are {len(sums):,} objects, and {', '.join(wanted)} are measured one by one, "
            "which takes minutes: leave them out (--properties) if they are not needed.",
            stacklevel=4,
        )
    options = {"hull": bool({"solidity", "feret_diameter_max"} & set(wanted))}
    options["surface"] = "surface_area" in wanted
    spacing = [labels.pixel_size.get(axis, 1.0) for axis in labels.spatial_axes]
    found: list[ObjectShape] = [ObjectShape(None, (math.nan,) * 2, (math.nan,) * 2)] * len(sums)

    def look(rows: NDArray[np.intp], pixels: NDArray[Any], place: Box) -> None:
        for row in rows.tolist():
            box = Box(tuple(sums.start[row].tolist()), tuple(sums.stop[row].tolist()))
            mask = pixels[box.to_slices(place)] == sums.ids[row]
            found[row] = object_shape(mask, spacing, **options)

    held, crossing = _holders(sums, labels.shape, blocks)
    for number, (block, rows) in enumerate(held):
        look(rows, labels.read(blocks[block].to_slices())[0], blocks[block])
        step(len(blocks) + len(blocks) * (number + 1) // (len(held) + 1), 2 * len(blocks))
    large = (sums.stop - sums.start)[crossing].prod(axis=1) > _LARGEST_OBJECT
    for row in crossing[~large]:
        box = Box(tuple(sums.start[row].tolist()), tuple(sums.stop[row].tolist()))
        look(np.array([row]), labels.read(box.to_slices())[0], box)
        step(2 * len(blocks), 2 * len(blocks))
    if large.any():
        warn_user(
            f"{np.count_nonzero(large):,} objects are too large to measure {', '.join(wanted)}; "
            "these are left empty.",
            stacklevel=4,
        )
    return found


def _holders(
    sums: ObjectSums, shape: Sequence[int], blocks: Sequence[Box]
) -> tuple[list[tuple[int, NDArray[np.intp]]], NDArray[np.intp]]:
    """Return which objects lie wholly in which block, and those that lie in several."""
    side = np.array(blocks[0].shape)
    first, last = sums.start // side, (sums.stop - 1) // side
    inside = (first == last).all(axis=1)
    rows = np.flatnonzero(inside)
    block = np.ravel_multi_index(first[rows].T, tuple(-(-np.array(shape) // side)))
    rows, block = rows[np.argsort(block, kind="stable")], np.sort(block)
    numbers, begins = np.unique(block, return_index=True)
    groups = np.split(rows, begins[1:]) if rows.size else []
    return list(zip(numbers.tolist(), groups, strict=True)), np.flatnonzero(~inside)


def diameters(
    labels: NDArray[np.integer], spacing: Sequence[float] | None = None
) -> NDArray[np.float64]:
    """Return how large the objects are: the diameter of a disc, or ball, of the same size.

    Parameters
    ----------
    labels : ndarray of int, 2D or 3D
        Labels of the objects; 0 is background.
    spacing : sequence of float, optional
        Pixel size per axis, in the unit that the diameters shall have; by default 1.

    Returns
    -------
    ndarray of float64, shape (number of objects,)
        The diameters, in the order of the ids.
    """
    counts = np.unique(labels[labels > 0], return_counts=True)[1]
    return diameter_of_size(counts * math.prod(spacing or ()), labels.ndim)


def diameter_of_size(size: NDArray[np.floating], ndim: int) -> NDArray[np.float64]:
    """Return the diameter of the ball of `ndim` dimensions that has an area, or volume, `size`."""
    unit = math.pi ** (ndim / 2) / math.gamma(ndim / 2 + 1)  # of the ball of radius 1
    return np.asarray(2 * (size / unit) ** (1 / ndim))
