"""The private folder through which two processes share arrays. Free of torch."""

from __future__ import annotations

import errno
import math
import mmap
import os
import shutil
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from unet_napari.engine.arrays import ArrayRef, open_ref
from unet_napari.errors import ImageError, ResourceError
from unet_napari.labels.sparse import SparseArray
from unet_napari.system.disk import reserve
from unet_napari.system.leftovers import MEMORY_DISK, temporary_prefix

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from unet_napari.images import LazyArray

__all__ = ["SharedFolder"]

_MEMORY_SHARE = 0.25  # of what is free there may go into one array: it is the user's memory
_COPY_BYTES = 64 << 20  # copied at a time from an array that is not in memory


class SharedFolder:
    """A private folder for shared arrays; on Linux a second one, in memory.

    It belongs to the client, which removes it; the worker allocates its results in there as well.

    Parameters
    ----------
    folders
        Folders of an existing shared folder. By default new ones are made.
    """

    def __init__(self, folders: tuple[str, ...] | None = None) -> None:
        self.folders = _make_folders() if folders is None else folders
        self._shared: set[str] = set()

    def share(self, data: LazyArray, *, snapshot: bool = False) -> ArrayRef:
        """Make an array of this process readable by another one.

        Arrays that lie on disk are passed by reference, all others are copied.

        Parameters
        ----------
        data
            NumPy, memory-mapped, zarr, dask or any other array with shape, dtype, indexing.
        snapshot
            Copy whatever it is, so that later changes are not seen.

        Raises
        ------
        ImageError
            If its elements are not numbers.
        ResourceError
            If there is no room for a copy.
        """
        if np.dtype(data.dtype).hasobject:
            raise ImageError(f"An image or labels of type {data.dtype} cannot be used.")
        reference = None if snapshot else (_memmap_ref(data) or _zarr_ref(data))
        if isinstance(data, SparseArray) or (not snapshot and _library(data) == "dask"):
            reference = self._pickle(data)
        if reference is None:
            reference = self._copy(data)
        self._shared.add(reference.path)
        return reference

    def allocate(self, shape: tuple[int, ...], dtype: DTypeLike) -> tuple[ArrayRef, NDArray[Any]]:
        """Make room for an array of zeros; return a reference and the array, to be filled.

        Raises
        ------
        ResourceError
            If there is not enough room.
        """
        dtype = np.dtype(dtype)
        path = self._place(math.prod(shape) * dtype.itemsize) / f"{uuid.uuid4().hex}.npy"
        try:
            with path.open("xb") as file:
                _write_npy_header(file, shape, dtype)
                reserve(file, file.tell() + math.prod(shape) * dtype.itemsize)
        except OSError as error:
            path.unlink(missing_ok=True)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise ResourceError(
                f"There is no room for an array of {shape} ({dtype}) in '{path.parent}'. Make "
                "room on this disk, work on a part of the image, or have the labels saved to "
                "another disk (in the Segment dock: Result, Save to)."
            ) from error
        reference = ArrayRef("npy", str(path), tuple(shape), dtype.str)
        return reference, open_ref(reference, writable=True)

    def release(self, reference: ArrayRef) -> None:
        """Remove a shared array; references to the user's own files are left alone."""
        self._shared.discard(reference.path)
        if str(Path(reference.path).parent) in self.folders:
            with suppress(OSError):  # on Windows, where somebody still has it open
                Path(reference.path).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a worker that has died left behind."""
        for path in [path for folder in self.folders for path in Path(folder).glob("*")]:
            if str(path) not in self._shared:
                with suppress(OSError):  # on Windows, where somebody still has it open
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _place(self, size: int) -> Path:
        """Choose the folder in memory where that has room to spare."""
        *in_memory, on_disk = self.folders
        for folder in in_memory:
            if size <= shutil.disk_usage(folder).free * _MEMORY_SHARE:
                return Path(folder)
        return Path(on_disk)

    def _copy(self, data: LazyArray) -> ArrayRef:
        shape = tuple(int(n) for n in data.shape)
        reference, out = self.allocate(shape, data.dtype)
        if isinstance(data, np.ndarray) or not shape:
            out[...] = np.asarray(data)
            return reference
        row = max(1, math.prod(shape[1:]) * out.itemsize)
        step = max(1, _COPY_BYTES // row)
        for start in range(0, shape[0], step):
            rows = slice(start, start + step)
            out[rows] = np.asarray(data[rows])
        return reference

    def _pickle(self, data: LazyArray) -> ArrayRef | None:
        """Store a lazy array; None if it holds what cannot be pickled."""
        import cloudpickle  # type: ignore[import-untyped]  # comes with dask

        try:
            content = cloudpickle.dumps(data)
        except Exception:
            return None
        path = Path(self.folders[-1]) / f"{uuid.uuid4().hex}.pickle"
        path.write_bytes(content)
        return ArrayRef("pickle", str(path), tuple(data.shape), np.dtype(data.dtype).str)


def _make_folders() -> tuple[str, ...]:
    on_disk = tempfile.mkdtemp(prefix=temporary_prefix())
    if not os.access(MEMORY_DISK, os.W_OK):
        return (on_disk,)
    return tempfile.mkdtemp(prefix=temporary_prefix(), dir=MEMORY_DISK), on_disk


def _library(data: object) -> str:
    return type(data).__module__.partition(".")[0]


def _memmap_ref(data: Any) -> ArrayRef | None:  # noqa: ANN401
    """Return a reference to the file below a read-only memory map, if `data` is a whole one."""
    if not isinstance(data, np.memmap) or not isinstance(data.base, mmap.mmap):
        return None  # an array in memory, or a part of a map, whose offset numpy does not know
    if data.mode != "r" or not data.flags.c_contiguous or data.filename is None:
        return None
    path = str(Path(data.filename).resolve())
    return ArrayRef("memmap", path, data.shape, data.dtype.str, offset=data.offset)


def _zarr_ref(data: Any) -> ArrayRef | None:  # noqa: ANN401
    """Return a reference to a zarr array, if it is in a folder of this computer."""
    if _library(data) != "zarr":
        return None
    root = getattr(data.store, "root", None)
    if not isinstance(root, Path):
        return None
    return ArrayRef("zarr", str((root / data.path).resolve()), tuple(data.shape), data.dtype.str)


def _write_npy_header(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    header = {"shape": tuple(shape), "fortran_order": False, "descr": dtype.str}
    np.lib.format.write_array_header_2_0(file, header)
