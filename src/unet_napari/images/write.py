"""Write an image file so that it appears under its name only when it is whole."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import OutputError
from unet_napari.images.axes import AXES
from unet_napari.images.formats.read_zarr import is_zarr
from unet_napari.images.formats.write_tiff import create_tiff, narrow_labels
from unet_napari.images.formats.write_zarr import create_zarr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["BoxWriter", "check_output", "open_output"]

_TIFF = (".tif", ".tiff")


class BoxWriter:
    """An image file that is being written, part by part.

    Parameters
    ----------
    array
        The memory map or zarr array behind it.
    path
        What to call the file in messages.

    Attributes
    ----------
    shape, dtype
        Of the image.
    chunks
        What is best written as a whole, in a zarr; None in a TIFF.
    """

    def __init__(self, array: Any, path: Path) -> None:  # noqa: ANN401 (zarr is untyped)
        self._array = array
        self._path = path
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.chunks: tuple[int, ...] | None = getattr(array, "chunks", None)

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401
        """Return a copy of what was written; the rest is 0."""
        return np.array(self._array[key])

    def __setitem__(self, key: Any, values: ArrayLike, /) -> None:  # noqa: ANN401
        """Write a part; raises `OutputError` if the disk is full."""
        with _output_errors(self._path):
            self._array[key] = values

    def flush(self) -> None:
        """Put everything on the disk."""
        with _output_errors(self._path):
            if isinstance(self._array, np.memmap):
                self._array.flush()

    def close(self) -> None:
        """Let go of the file; nothing can be written any more."""
        self._array = None


def check_output(path: str | Path, *, overwrite: bool = False) -> Path:
    """Make sure, before any work starts, that a result can be written.

    Parameters
    ----------
    path
        Where the result should go; its ending chooses TIFF or zarr.
    overwrite
        Whether an existing file may be replaced.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    OutputError
        If the ending is unknown, the folder is missing or read-only, or something exists
        that must not be replaced.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*_TIFF, ".zarr"):
        raise OutputError(f"{path}: results are written as .tif, .ome.tif or .zarr")
    with _output_errors(path):
        if not path.parent.is_dir():
            raise OutputError(f"{path.parent} is not a folder; create it first")
        if path.exists():
            if not overwrite:
                raise OutputError(
                    f"{path} exists already; use --overwrite (in Python: overwrite=True) "
                    "to replace it"
                )
            if not (is_zarr(path) if suffix == ".zarr" else path.is_file()):
                raise OutputError(f"{path} exists and is no {suffix} image; it is left alone")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    return path


@contextlib.contextmanager
def open_output(
    path: str | Path,
    *,
    shape: Sequence[int],
    dtype: DTypeLike,
    axes: str,
    pixel_size: Mapping[str, float],
    overwrite: bool = False,
    labels: bool = False,
) -> Iterator[BoxWriter]:
    """Create an image file and fill it part by part, with bounded memory.

    The file is written under a temporary name beside the final one and renamed at the end
    of the ``with`` block. If the block is left by an exception nothing remains, and a file
    that was there before is still there.

    Parameters
    ----------
    path
        ``.tif`` or ``.tiff`` (ImageJ's flavour where it can hold the image, else OME),
        ``.ome.tif``, or ``.zarr`` (OME-Zarr 0.5).
    shape, dtype
        Of the image.
    axes
        One letter per axis, in the order of ``TCZYX``.
    pixel_size
        Micrometres per pixel where known; axes that the image has not are left out.
    overwrite
        Whether an existing file may be replaced.
    labels
        Whether the pixels are labels. Those of 32 bits become 16 in the end, in a TIFF other
        than ``.ome.tif`` and where all of them fit, for ImageJ has none of 32.

    Yields
    ------
    BoxWriter
        Takes ``out[key] = values``; 0 where nothing is written.

    Raises
    ------
    OutputError
        If the file cannot be written; the message names it.
    ValueError
        If axes, shape or dtype do not go together.
    """
    path = check_output(path, overwrite=overwrite)
    if axes != "".join(axis for axis in AXES if axis in axes) or len(axes) != len(shape):
        raise ValueError(f"axes {axes!r} do not fit a result of shape {tuple(shape)}")
    sizes = {axis: size for axis, size in pixel_size.items() if axis in axes}
    partial, narrow = (_partial(path) for _ in range(2))
    is_zarr_image, ome = path.suffix.lower() == ".zarr", path.stem.lower().endswith(".ome")
    try:
        with _output_errors(path):
            array = (
                create_zarr(partial, shape, np.dtype(dtype), axes, sizes)
                if is_zarr_image
                else create_tiff(partial, shape, np.dtype(dtype), axes, sizes, ome=ome)
            )
        output = BoxWriter(array, path)
        wide = labels and not (is_zarr_image or ome) and output.dtype == np.uint32
        try:
            yield output
            output.flush()
            narrowed = wide and _narrowed(array, narrow, axes, sizes)
        finally:
            del array
            output.close()
        check_output(path, overwrite=overwrite)  # somebody may have been faster
        with _output_errors(path):
            _put_in_place(narrow if narrowed else partial, path)
    finally:
        _remove(partial)
        _remove(narrow)


def _partial(path: Path) -> Path:
    """Return a hidden name beside a file, for it until it is whole."""
    return path.parent / f".{path.name[:80]}.{uuid.uuid4().hex[:8]}.part"


def _narrowed(labels: Any, path: Path, axes: str, sizes: Mapping[str, float]) -> bool:  # noqa: ANN401 (a memory map)
    """Write labels with 16 bits; False where they do not fit, or where the disk is full."""
    try:
        return narrow_labels(labels, path, axes, sizes)
    except OSError:
        return False  # 32 bits are as right, and there already


def _put_in_place(partial: Path, path: Path) -> None:
    """Rename; a folder, which cannot be replaced in one step, makes way first."""
    if not path.is_dir():
        partial.replace(path)
        return
    old = partial.with_suffix(".old")
    path.rename(old)
    try:
        partial.rename(path)
    except OSError:
        old.rename(path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    # After an error zarr's other threads go on with the chunks they had begun, and make the
    # folder anew for them; so it has to stay away.
    for _ in range(20):
        shutil.rmtree(path, ignore_errors=True)
        time.sleep(0.05)
        if not path.exists():
            return


@contextlib.contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says into a message that names the file."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
