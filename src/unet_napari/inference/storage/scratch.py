"""Room for arrays between network and result: in memory, or on disk where they are large."""

from __future__ import annotations

import math
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self

import numpy as np

from unet_napari.errors import ResourceError
from unet_napari.system.disk import reserve
from unet_napari.system.text import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from numpy.typing import DTypeLike, NDArray

    from unet_napari.tasks.decoding.blocks import Store

__all__ = ["DiskArray", "Room", "check_disk"]

# Bytes that are mapped at a time: mappings count against limits of a process.
_BYTES_MAPPED = 2**25


class DiskArray:
    """An array in a file, of which nothing stays in memory.

    Only the rows that are read or written are mapped, and only meanwhile: a map of the whole
    file would count as memory of this process. Several threads may use it.

    Parameters
    ----------
    file
        File opened for reading and writing; it is made as large as the array.
    shape, dtype
        Shape and type of the array.
    rows
        Axis along which it is mapped piece by piece; the axes before it are short.

    Raises
    ------
    ResourceError
        If the disk has no room for it.
    """

    def __init__(
        self, file: IO[bytes], shape: tuple[int, ...], dtype: DTypeLike, rows: int = 0
    ) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._file, self._axis = file, rows
        size = math.prod(shape) * self.dtype.itemsize
        try:
            reserve(file, size)
        except OSError as error:
            raise ResourceError(
                f"The probability maps need {human_size(size)} of disk: {error.strerror}."
            ) from error

    def __getitem__(self, key: tuple[slice, ...], /) -> NDArray[Any]:
        """Return a copy of a part, selected by one slice per axis."""
        box = self._box(key)
        part = np.empty([s.stop - s.start for s in box], self.dtype)
        for position, rows in self._mapped(box, "r"):
            part[position] = rows
        return part

    def __setitem__(self, key: tuple[slice, ...], values: NDArray[Any], /) -> None:
        """Write a part."""
        box = self._box(key)
        values = np.broadcast_to(values, [s.stop - s.start for s in box])
        for position, rows in self._mapped(box, "r+"):
            rows[...] = values[position]

    def _box(self, key: tuple[slice, ...]) -> tuple[slice, ...]:
        whole = (*key, *(slice(None),) * (len(self.shape) - len(key)))
        return tuple(slice(*s.indices(n)[:2]) for s, n in zip(whole, self.shape, strict=True))

    def _mapped(
        self, box: tuple[slice, ...], mode: Literal["r", "r+"]
    ) -> Iterator[tuple[tuple[int | slice, ...], NDArray[Any]]]:
        """Yield some rows of a part after the other, with where they lie in the part."""
        before, along, after = box[: self._axis], box[self._axis], box[self._axis + 1 :]
        shape = self.shape[self._axis + 1 :]
        row = math.prod(shape) * self.dtype.itemsize
        step = max(1, _BYTES_MAPPED // row)
        for position in np.ndindex(*(s.stop - s.start for s in before)):
            planes = [s.start + p for s, p in zip(before, position, strict=True)]
            for start in range(along.start, along.stop, step):
                stop = min(start + step, along.stop)
                first = np.ravel_multi_index((*planes, start), self.shape[: self._axis + 1])
                rows = np.memmap(
                    self._file, self.dtype, mode, int(first) * row, (stop - start, *shape)
                )
                yield (*position, slice(start - along.start, stop - along.start)), rows[:, *after]


class Room:
    """Arrays that are gone in the end, even if the process is killed.

    Parameters
    ----------
    memory
        Bytes that they may take together; what is beyond goes into files in TMPDIR.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._files = ExitStack()

    def __enter__(self) -> Self:
        """Open the room."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove all files."""
        self._files.close()

    def array(self, shape: tuple[int, ...], dtype: DTypeLike, rows: int = 0) -> Store:
        """Return a new array; it holds anything. For `rows` see `DiskArray`.

        Raises
        ------
        ResourceError
            If it is too large for the disk.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size <= self._memory:
            self._memory -= size
            return np.empty(shape, dtype)
        check_disk(size, Path(tempfile.gettempdir()))
        file = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  closed with the room
        return DiskArray(file, shape, dtype, rows)


def check_disk(size: int, folder: Path) -> None:
    """Raise `ResourceError` if a folder has not so many bytes left."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise ResourceError(
            f"The probability maps need {human_size(size)} of disk for a while, but "
            f"{folder} has {human_size(free)} left. Make room there, or set TMPDIR."
        )
