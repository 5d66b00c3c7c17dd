"""Measurements of objects: a table with a row for each, and how large they are.

The table is made of sums over slabs, so that memory does not grow with the image.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import SettingsError
from unet_napari.geometry import Box
from unet_napari.system.atomic import open_atomic
from unet_napari.tasks.kinds.catalogue import task_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import Image, LazyArray

__all__ = ["check_measurable", "diameter_of_size", "diameters", "measure", "write_table"]

# Number of pixels that are measured at a time.
_SLAB_PIXELS = 16 * 2**20


def check_measurable(task: str) -> None:
    """Raise `SettingsError`, before the work, if a task finds no objects that can be measured."""
    if not task_kind(task).separates_objects:
        raise SettingsError(
            "Only cells are measured one by one, but this model tells classes apart: leave the "
            "table out, or choose a model of cells."
        )


def measure(image: Image, labels: LazyArray) -> dict[str, list[float]]:
    """Measure every object of every time point.

    Parameters
    ----------
    image : Image
        The image, whose intensities are measured channel by channel, in its own units.
    labels : array of int, shape ``image.shape``, in a time series ``(T, *image.shape)``
        Labels of the objects; 0 is background.

    Returns
    -------
    dict of str to list
        Columns of equal length: in a time series ``time`` (the time point, counted from 0);
        ``label``, ``pixels``, ``size_um2`` or ``size_um3`` where
        the pixel size is known, ``centre_z`` (3D), ``centre_y``, ``centre_x`` (pixels),
        ``mean`` (``mean_c0`` ... with several channels).
    """
    if image.frames == 1:
        return _measure_frame(image, labels)
    table: dict[str, list[float]] = {}
    for frame in range(image.frames):
        rows = _measure_frame(image.select(T=frame), _Frame(labels, frame))
        for name, values in ({"time": [frame] * len(rows["label"])} | rows).items():
            table.setdefault(name, []).extend(values)
    return table


class _Frame:
    """One time point of labels, whose parts are read when they are asked for."""

    def __init__(self, labels: LazyArray, frame: int) -> None:
        self._labels, self._frame = labels, frame
        self.shape, self.dtype = labels.shape[1:], labels.dtype

    def __getitem__(self, key: Any, /) -> Any:  # noqa: ANN401  as `LazyArray` has it
        return self._labels[(self._frame, *key)]


def _measure_frame(image: Image, labels: LazyArray) -> dict[str, list[float]]:
    axes = image.spatial_axes
    total: dict[int, np.ndarray] = {}
    for slab in Box.whole(image.shape).slabs_of(_SLAB_PIXELS):
        index = slab.to_slices()
        _add_slab(total, image.read(index), np.asarray(labels[index]), slab)
    ids = sorted(total)
    sums = np.array([total[i] for i in ids]).reshape(len(ids), 1 + len(axes) + image.channels)
    pixels = sums[:, 0]
    table: dict[str, list[float]] = {"label": list(ids), "pixels": pixels.astype(int).tolist()}
    if all(axis in image.pixel_size for axis in axes):
        voxel = float(np.prod([image.pixel_size[axis] for axis in axes]))
        table[f"size_um{len(axes)}"] = (pixels * voxel).tolist()
    for column, axis in enumerate(axes, start=1):
        table[f"centre_{axis.lower()}"] = (sums[:, column] / pixels).tolist()
    for channel in range(image.channels):
        name = "mean" if image.channels == 1 else f"mean_c{channel}"
        table[name] = (sums[:, 1 + len(axes) + channel] / pixels).tolist()
    return table


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


def write_table(path: Path, table: Mapping[str, Sequence[object]]) -> None:
    """Write columns as CSV, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with open_atomic(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
        text.detach()  # which writes the rest, and leaves the file open


def _add_slab(
    total: dict[int, np.ndarray], image: np.ndarray, labels: np.ndarray, slab: Box
) -> None:
    where = np.nonzero(labels)
    ids, index = np.unique(labels[where], return_inverse=True)
    weights: list[NDArray[Any]] = [np.ones(index.size)]
    weights += [w + start for w, start in zip(where, slab.start, strict=True)]
    weights += [channel[where].astype(np.float64) for channel in image]
    columns = np.stack([np.bincount(index, w, minlength=ids.size) for w in weights], axis=1)
    for i, row in zip(ids.tolist(), columns, strict=True):
        total[i] = total[i] + row if i in total else row
