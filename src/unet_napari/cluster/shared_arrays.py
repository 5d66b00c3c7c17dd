"""Arrays in a folder that all machines see; what is sent from one to another is their path."""

from __future__ import annotations

import math
import secrets
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from unet_napari.errors import OutputError
from unet_napari.images.write import BoxWriter, array_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike, NDArray

__all__ = ["SharedArray", "SharedTable", "written_here"]

# A chunk of somebody's array that is larger is not worked on as a whole.
_LARGEST_CHUNK = 2**25


class SharedArray:
    """A zarr array in a folder, of which nothing stays in memory.

    Several processes may write to it, each to whole chunks of its own.

    Parameters
    ----------
    path : Path
        Folder of the array.

    Attributes
    ----------
    shape, dtype
        Shape and type of the array.
    chunks : tuple of int
        Extent of what one process writes as a whole.
    """

    def __init__(self, path: Path) -> None:
        import zarr

        self.path = path
        self._array: Any = zarr.open_array(path, mode="r+")
        self.shape: tuple[int, ...] = tuple(self._array.shape)
        self.dtype: np.dtype[Any] = np.dtype(self._array.dtype)
        self.chunks: tuple[int, ...] = tuple(self._array.shards or self._array.chunks)

    @classmethod
    def make(
        cls, path: Path, shape: tuple[int, ...], dtype: DTypeLike, chunks: tuple[int, ...]
    ) -> Self:
        """Make an array of zeros, or open it if it is there."""
        import zarr

        if not (path / "zarr.json").exists():  # nor half of it, from a run that was killed
            sizes = tuple(map(min, chunks, shape))
            with written_here(path):
                zarr.create_array(
                    path, shape=shape, dtype=np.dtype(dtype), chunks=sizes, overwrite=True
                )
        return cls(path)

    @classmethod
    def of(cls, out: object) -> Self | None:
        """Return a result as such an array; None where it is no zarr in a folder."""
        place = out.place if isinstance(out, BoxWriter) else array_folder(out)
        if place is None:
            return None
        found = cls(place.resolve())
        return found if math.prod(found.chunks) <= _LARGEST_CHUNK else None

    def __reduce__(self) -> tuple[type[SharedArray], tuple[Path]]:
        return SharedArray, (self.path,)

    def __getitem__(self, key: tuple[int | slice, ...], /) -> NDArray[Any]:
        """Return a copy of a part."""
        return np.asarray(self._array[key])

    def __setitem__(self, key: tuple[int | slice, ...], values: NDArray[Any], /) -> None:
        """Write a part; raises `OutputError` if the disk is full."""
        with written_here(self.path):
            self._array[key] = values


@dataclass(frozen=True)
class SharedTable:
    """Numbers in a file, of which only those that are looked up are read, see `LookUp`.

    Parameters
    ----------
    path : Path
        A ``.npy`` file.
    """

    path: Path

    @classmethod
    def make(cls, folder: Path, values: NDArray[Any]) -> Self:
        """Write numbers into a file with a name that was never used before."""
        path = folder / f"table-{secrets.token_hex(8)}.npy"
        with written_here(path):
            np.save(path, values)
        return cls(path)

    def take(
        self, indices: NDArray[Any], /, *, mode: Literal["raise", "clip"] = "raise"
    ) -> NDArray[Any]:
        """Return the numbers at some positions."""
        return np.asarray(_opened(self.path).take(indices, mode=mode))


@lru_cache(maxsize=4)
def _opened(path: Path) -> NDArray[Any]:
    found: NDArray[Any] = np.load(path, mmap_mode="r")
    return found


@contextmanager
def written_here(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into a message that names it and this machine."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written on {socket.gethostname()}: {error.strerror or error}. "
            "What is finished stays: put that right, and the same command goes on."
        ) from error
