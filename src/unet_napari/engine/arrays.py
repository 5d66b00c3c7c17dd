"""Arrays that two processes see: by reference where they are on disk, else by a shared copy.

Free of torch. A `SharedFolder` belongs to the client, which removes it; the worker allocates
its results in there as well.
"""

from __future__ import annotations

import dataclasses
import errno
import math
import mmap
import os
import pickle
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from unet_napari.engine.protocol import message
from unet_napari.errors import EngineError, ImageError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    from unet_napari.images import LazyArray

__all__ = ["ArrayRef", "SharedFolder", "map_arrays", "open_ref", "take"]

_MEMORY_DISK = Path("/dev/shm")  # noqa: S108  a disk in memory, on Linux; folders in it are private
_MEMORY_SHARE = 0.25  # of what is free there may go into one array: it is the user's memory
_COPY_BYTES = 64 << 20  # copied at a time from an array that is not in memory

_KINDS = ("npy", "memmap", "zarr", "pickle")


@message
@dataclass(frozen=True)
class ArrayRef:
    """Where an array is.

    Attributes
    ----------
    kind
        ``"npy"``: a file in a shared folder; ``"memmap"``: the bytes of the user's own file,
        from ``offset`` on; ``"zarr"``: a zarr array on disk; ``"pickle"``: a lazy array of
        the client's, such as a dask graph, in a file in a shared folder.
    path
        The file or folder, absolute.
    shape
        Length of each axis.
    dtype
        As ``numpy.dtype.str`` has it.
    offset
        Bytes before the array, in a memmap.

    Raises
    ------
    EngineError
        If it is not such a reference.
    """

    kind: str
    path: str
    shape: tuple[int, ...]
    dtype: str
    offset: int = 0

    def __post_init__(self) -> None:
        lengths = isinstance(self.shape, tuple) and all(
            isinstance(n, int) and 0 <= n < 1 << 48 for n in self.shape
        )
        if self.kind not in _KINDS or not lengths or self.offset < 0:
            raise EngineError(f"This is no reference to an array: {self!r}.")
        if not Path(self.path).is_absolute() or np.dtype(self.dtype).hasobject:
            raise EngineError(f"This is no reference to an array of numbers: {self!r}.")


class SharedFolder:
    """A private folder for shared arrays; on Linux a second one, in memory.

    Parameters
    ----------
    folders
        Those of an existing shared folder. By default new ones are made.
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
        if reference is None and not snapshot and _library(data) == "dask":
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
                _reserve(file, file.tell() + math.prod(shape) * dtype.itemsize)
        except OSError as error:
            path.unlink(missing_ok=True)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise ResourceError(
                f"There is no room for an array of {shape} ({dtype}) in '{path.parent}'. Make "
                "room on this disk, or work on a part of the image."
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
        """Store a dask graph; None if it holds what cannot be pickled."""
        import cloudpickle  # type: ignore[import-untyped]  # comes with dask

        try:
            content = cloudpickle.dumps(data)
        except Exception:
            return None
        path = Path(self.folders[-1]) / f"{uuid.uuid4().hex}.pickle"
        path.write_bytes(content)
        return ArrayRef("pickle", str(path), tuple(data.shape), np.dtype(data.dtype).str)


def open_ref(reference: ArrayRef, *, folders: tuple[str, ...] = (), writable: bool = False) -> Any:  # noqa: ANN401  a LazyArray, or an array where writable
    """Open an array by its reference; nothing is read yet.

    Parameters
    ----------
    reference
        From this or the other process.
    folders
        The shared folders: a pickle is read from nowhere else.
    writable
        Whether a shared array may be written to.

    Raises
    ------
    EngineError
        If the array is gone, or is not what the reference says.
    """
    try:
        data = _OPEN[reference.kind](reference, folders, writable)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            f"The shared array '{reference.path}' cannot be read: {error}."
        ) from error
    if tuple(data.shape) != reference.shape or np.dtype(data.dtype).str != reference.dtype:
        raise EngineError(
            f"The shared array '{reference.path}' has shape {tuple(data.shape)} and type "
            f"{data.dtype}, not {reference.shape} and {reference.dtype}."
        )
    return data


def take(reference: ArrayRef) -> NDArray[Any]:
    """Return a shared array as this process's own; its file is gone afterwards.

    Nothing is copied where an open file may be removed, which is everywhere but on Windows.
    """
    path = Path(reference.path)
    data = open_ref(reference, writable=True)
    array: NDArray[Any] = np.array(data) if os.name == "nt" else np.asarray(data)
    del data
    path.unlink(missing_ok=True)
    return array


def map_arrays(value: Any, function: Callable[[ArrayRef], object]) -> Any:  # noqa: ANN401
    """Return a message with every reference in it replaced by what `function` makes of it."""
    if isinstance(value, ArrayRef):
        return function(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in dataclasses.fields(value)]
        changed = {name: map_arrays(getattr(value, name), function) for name in names}
        return dataclasses.replace(value, **changed)
    if isinstance(value, Mapping):
        return {key: map_arrays(item, function) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map_arrays(item, function) for item in value)
    return value


def _open_npy(reference: ArrayRef, _folders: tuple[str, ...], writable: bool) -> Any:  # noqa: ANN401
    return np.load(reference.path, mmap_mode="r+" if writable else "r", allow_pickle=False)


def _open_memmap(reference: ArrayRef, _folders: tuple[str, ...], _writable: bool) -> Any:  # noqa: ANN401
    return np.memmap(
        reference.path,
        np.dtype(reference.dtype),
        mode="r",
        offset=reference.offset,
        shape=reference.shape,
    )


def _open_zarr(reference: ArrayRef, _folders: tuple[str, ...], _writable: bool) -> Any:  # noqa: ANN401
    import zarr

    return zarr.open_array(reference.path, mode="r")


def _open_pickle(reference: ArrayRef, folders: tuple[str, ...], _writable: bool) -> Any:  # noqa: ANN401
    path = Path(reference.path)
    if str(path.parent) not in folders:
        raise ValueError("it is not in the folder that this program shares")
    # Our own client wrote it a moment ago, into a folder that is closed to other users.
    return pickle.loads(path.read_bytes())  # noqa: S301


_OPEN = {"npy": _open_npy, "memmap": _open_memmap, "zarr": _open_zarr, "pickle": _open_pickle}


def _make_folders() -> tuple[str, ...]:
    on_disk = tempfile.mkdtemp(prefix="unet-napari-")
    if not os.access(_MEMORY_DISK, os.W_OK):
        return (on_disk,)
    return tempfile.mkdtemp(prefix="unet-napari-", dir=_MEMORY_DISK), on_disk


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


def _reserve(file: BinaryIO, size: int) -> None:
    """Grow a file with real space: writing to a map of a full disk would kill the process."""
    file.flush()
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)
