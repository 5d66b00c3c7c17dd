"""Arrays for layers as large as an image that take room only where something is written."""

import math
import mmap
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from unet_napari.errors import ResourceError
from unet_napari.geometry import Box
from unet_napari.images import LazyArray
from unet_napari.labels.sparse import SparseArray
from unet_napari.system.leftovers import remove_with, temporary_prefix

__all__ = ["check_room", "empty_array", "painted_parts"]

_IN_MEMORY = 1 << 30  # bytes; a larger array lives in a sparse file
_READ_BYTES = 16 << 20  # bytes that are read at once
_SPARE_BYTES = 64 << 20  # bytes of the disk that stay free, for the strokes of a brush


class _Sparse(np.memmap[Any, Any]):
    """An array in a file whose disk may fill up; those of the engine have their room reserved.

    Attributes
    ----------
    file : int or None
        The open file, which has no name any more; None for a part of the array, and on Windows.
    """

    file: int | None = None


def empty_array(shape: Sequence[int], dtype: DTypeLike) -> NDArray[np.generic]:
    """Return zeros that take memory only where something is written.

    Above a gigabyte they are a sparse temporary file, which goes when the array does, also where
    the program is killed (not on Windows, where an open file keeps its name).

    Raises
    ------
    ResourceError
        If the disk of that file is full.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= _IN_MEMORY:
        return np.zeros(shape, dtype)
    _check_disk(Path(tempfile.gettempdir()), 0)
    with tempfile.NamedTemporaryFile(
        prefix=temporary_prefix(), suffix=".npy", delete=False
    ) as file:
        path = Path(file.name)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=tuple(shape))
    _read_ahead_nothing(pixels)
    array = pixels.view(_Sparse)
    if hasattr(os, "SEEK_DATA"):
        array.file = os.open(path, os.O_RDONLY)
        weakref.finalize(array, os.close, array.file)
    remove_with(array, path)  # the disk gets the room back with the last map of the file
    return array


def _read_ahead_nothing(array: NDArray[Any]) -> None:
    """Have the system fetch only those pages of a map that are read.

    A coarse level of a pyramid reads a few pixels of each row; with what lies around them it would
    be the whole file, gigabytes of zeros.
    """
    pages = array.base
    if sys.platform != "win32" and isinstance(pages, mmap.mmap):
        pages.madvise(mmap.MADV_RANDOM)


def check_room(array: LazyArray, size: int) -> None:
    """Find out whether `size` bytes more can be written to a layer's array.

    Writing through a memory map to a full disk does not raise: it kills the process, napari with
    all that is in it.

    Raises
    ------
    ResourceError
        If the array is one of `empty_array`, on a disk that has no room for them.
    """
    if isinstance(array, _Sparse):
        _check_disk(Path(str(array.filename)).parent, size)


def _check_disk(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size + _SPARE_BYTES:
        raise ResourceError(
            f"The disk of '{folder}' is full, where the labels of a large image are kept. Make "
            "room on it, or set the variable TMPDIR to a folder on another disk before napari "
            "is started."
        )


def painted_parts(array: LazyArray) -> SparseArray | None:
    """Copy what is painted of an array of `empty_array` that lives in a file; None for others.

    The file system knows where something was written, so that the rest is not even read.
    """
    if not isinstance(array, _Sparse) or array.file is None:
        return None
    return SparseArray.of(array, _written(array, array.file))


def _written(array: _Sparse, file: int) -> Iterator[Box]:
    """Yield the rows of an array that the file system has pages of."""
    array.flush()
    start, width = array.offset, array.shape[-1] * array.itemsize
    runs: list[list[int]] = []  # first and last row, counted through all slices
    for first, last in _extents(file):
        row, end = max(0, first - start) // width, -((start - last) // width)
        if runs and row <= runs[-1][1]:
            runs[-1][1] = end
        else:
            runs.append([row, end])
    for row, end in runs:
        yield from _row_boxes(array, row, min(end, math.prod(array.shape[:-1])))


def _row_boxes(array: _Sparse, row: int, end: int) -> Iterator[Box]:
    """Yield boxes of bounded size of rows that are counted through all slices."""
    most = max(1, _READ_BYTES // (array.shape[-1] * array.itemsize))
    while row < end:
        *key, y = (int(i) for i in np.unravel_index(row, array.shape[:-1]))
        rows = min(end - row, array.shape[-2] - y, most)
        yield Box((y, 0), (y + rows, array.shape[-1])).prepend(key)
        row += rows


def _extents(file: int) -> Iterator[tuple[int, int]]:
    """Yield the bytes of a sparse file that were written to, as (first, behind the last)."""
    size = os.fstat(file).st_size
    last = 0
    while last < size:
        try:
            first = os.lseek(file, last, os.SEEK_DATA)
            last = os.lseek(file, first, os.SEEK_HOLE)
        except OSError:  # nothing but a hole up to the end
            return
        yield first, last
