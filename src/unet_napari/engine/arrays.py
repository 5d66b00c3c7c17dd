"""References to arrays that two processes see, and how they are opened. Free of torch."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.protocol import message
from unet_napari.errors import EngineError
from unet_napari.system.leftovers import remove_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["ArrayRef", "map_arrays", "open_ref", "replace_items", "share_in", "take"]

_KINDS = ("npy", "memmap", "zarr", "pickle", "fetched")


@message
@dataclass(frozen=True)
class ArrayRef:
    """Where an array is.

    Attributes
    ----------
    kind
        ``"npy"``: a file in a shared folder; ``"memmap"``: the bytes of the user's own file,
        from ``offset`` on; ``"zarr"``: a zarr array on disk; ``"pickle"``: a lazy array of
        the client's, such as a dask graph, in a file in a shared folder; ``"fetched"``: an
        ``"npy"`` whose blocks come from another computer when they are read.
    path
        The file or folder, absolute.
    shape
        Length of each axis.
    dtype
        Type of the values, as ``numpy.dtype.str`` has it.
    offset
        Bytes before the array, in a memmap.
    chunks
        Of a ``"fetched"`` one: the chunks that it is stored in on the other computer.

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
    chunks: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        lengths = isinstance(self.shape, tuple) and all(
            isinstance(n, int) and 0 <= n < 1 << 48 for n in self.shape
        )
        if self.kind not in _KINDS or not lengths or self.offset < 0:
            raise EngineError(f"This is no reference to an array: {self!r}.")
        if not Path(self.path).is_absolute() or np.dtype(self.dtype).hasobject:
            raise EngineError(f"This is no reference to an array of numbers: {self!r}.")


def open_ref(reference: ArrayRef, *, folders: tuple[str, ...] = (), writable: bool = False) -> Any:  # noqa: ANN401  a LazyArray, or an array where writable
    """Open an array by its reference; nothing is read yet.

    Parameters
    ----------
    reference
        Reference from this process or from the other one.
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


def share_in(reference: ArrayRef) -> NDArray[Any]:
    """Return a shared array that the other process goes on writing to.

    Its file is gone at once, or on Windows, where an open file cannot be removed, with the array.
    """
    data: np.memmap[Any, Any] = open_ref(reference, writable=True)
    remove_with(data, Path(reference.path))
    return np.asarray(data)


def map_arrays(value: Any, function: Callable[[ArrayRef], object]) -> Any:  # noqa: ANN401
    """Return a message with every reference in it replaced by what `function` makes of it."""
    return replace_items(value, {ArrayRef: function})


def replace_items(value: Any, functions: Mapping[type, Callable[[Any], object]]) -> Any:  # noqa: ANN401
    """Return a message in which what is of certain classes is replaced.

    Parameters
    ----------
    value
        The message, or a part of it.
    functions
        For each class, what makes something else of its objects.
    """
    function = functions.get(type(value))
    if function is not None:
        return function(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in dataclasses.fields(value)]
        changed = {name: replace_items(getattr(value, name), functions) for name in names}
        return dataclasses.replace(value, **changed)
    if isinstance(value, Mapping):
        return {key: replace_items(item, functions) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(replace_items(item, functions) for item in value)
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


_OPEN = {
    "npy": _open_npy,
    "fetched": _open_npy,
    "memmap": _open_memmap,
    "zarr": _open_zarr,
    "pickle": _open_pickle,
}
