"""Arrays for layers as large as an image that take room only where something is written."""

import math
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from unet_napari.errors import ResourceError
from unet_napari.images import LazyArray

__all__ = ["check_room", "empty_array"]

_IN_MEMORY = 1 << 30  # bytes; a larger array lives in a sparse file
_SPARE = 64 << 20  # bytes of the disk that stay free, for the strokes of a brush


class _Sparse(np.memmap[Any, Any]):
    """An array in a file whose disk may fill up; those of the engine have their room reserved."""


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
    with tempfile.NamedTemporaryFile(prefix="unet-napari-", suffix=".npy", delete=False) as file:
        path = Path(file.name)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=tuple(shape))
    array = pixels.view(_Sparse)
    try:
        path.unlink()  # its room is given back with the last map of it
    except PermissionError:  # Windows
        weakref.finalize(array, path.unlink, missing_ok=True)
    return array


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
    if shutil.disk_usage(folder).free < size + _SPARE:
        raise ResourceError(
            f"The disk of '{folder}' is full, where the labels of a large image are kept. Make "
            "room on it, or set the variable TMPDIR to a folder on another disk before napari "
            "is started."
        )
