"""Write an image file so that it appears under its name only when it is whole."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import OutputError
from unet_napari.images.axes import AXES
from unet_napari.images.formats.table import OutputFormat, find_output_format, output_suffixes
from unet_napari.images.result_record import write_record
from unet_napari.system.atomic import replace_when_whole
from unet_napari.system.each import each_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from unet_napari.images.result_record import ResultRecord
    from unet_napari.system.each import Each

__all__ = ["BoxWriter", "array_folder", "check_image_output", "open_output"]


class BoxWriter:
    """An image file that is being written, part by part.

    Parameters
    ----------
    array
        The memory map or zarr array behind it.
    path
        Path of the file, as messages name it.

    Attributes
    ----------
    shape, dtype
        Shape and type of the image.
    chunks
        What is best written as a whole, in a zarr; None in a TIFF.
    place
        Folder of the zarr array behind it, that other processes may write to; None in a TIFF.
    record
        Origin of the result, which is kept in the file; to be set before the end.
    each
        Who adds, part by part, what is added in the end; other processes only where there is a
        `place`.
    """

    def __init__(self, array: Any, path: Path) -> None:  # noqa: ANN401 (zarr is untyped)
        self._array = array
        self._path = path
        self.record: ResultRecord | None = None
        self.each: Each = each_here
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.chunks: tuple[int, ...] | None = getattr(array, "chunks", None)
        self.place = array_folder(array)

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


def array_folder(array: object) -> Path | None:
    """Return the folder of a zarr array; None for what is no zarr array in a folder."""
    root = getattr(getattr(array, "store", None), "root", None)
    return root / getattr(array, "path", "") if isinstance(root, Path) else None


def check_image_output(path: str | Path, *, overwrite: bool) -> Path:
    """Make sure, before any work starts, that a result can be written.

    Parameters
    ----------
    path
        Path of the result; its ending chooses the format.
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
    form = _format_of_output(path)
    with _output_errors(path):
        if form.is_within(path):  # the image is there, but it may have no labels yet
            path.parent.mkdir(exist_ok=True)
        if not path.parent.is_dir():
            raise OutputError(f"{path.parent} is not a folder; create it first")
        if path.exists():
            if not overwrite:
                raise OutputError(
                    f"{path} exists already; use --overwrite (in Python: overwrite=True) "
                    "to replace it"
                )
            if not form.may_replace(path):
                raise OutputError(
                    f"{path} exists and is no {path.suffix.lower()} image; it is left alone"
                )
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

    It appears under its name at the end of the block, unless that is left by an exception.

    Parameters
    ----------
    path
        ``.tif``, ``.tiff`` (for ImageJ where it can be, else OME), ``.ome.tif``, ``.zarr`` (0.5),
        ``IMAGE.zarr/labels/NAME``.
    shape, dtype, axes
        Shape and type of the image; one letter per axis, in the order of ``TCZYX``.
    pixel_size
        Micrometres per pixel where known.
    overwrite
        Whether an existing file may be replaced.
    labels
        Whether the pixels are labels. Those of 32 bits become 16 in a TIFF other than ``.ome.tif``
        where all fit, for ImageJ has none of 32.

    Yields
    ------
    BoxWriter
        The image, which takes ``out[key] = values``; it is 0 where nothing is written.

    Raises
    ------
    OutputError, ValueError
        If the file cannot be written, naming it; if axes, shape or dtype do not go together.
    """
    path = check_image_output(path, overwrite=overwrite)
    _check_axes(axes, shape)
    sizes = {axis: size for axis, size in pixel_size.items() if axis in axes}
    form = _format_of_output(path)
    with replace_when_whole(path) as whole:
        with _output_errors(path):
            array = form.create(whole.partial, shape, np.dtype(dtype), axes, sizes)
        output = BoxWriter(array, path)
        try:
            yield output
            output.flush()
            if labels and form.narrow(array, whole.alternative, axes, sizes):
                whole.take_alternative()
        finally:
            del array
            output.close()
        _complete(output, form, whole.whole, path, labels=labels)
        check_image_output(path, overwrite=overwrite)  # another program may have written it
    with _output_errors(path):
        form.enlist(path)


def _complete(
    output: BoxWriter, form: OutputFormat, whole: Path, path: Path, *, labels: bool
) -> None:
    """Add to a file what can be added only when its pixels are written."""
    with _output_errors(path):
        form.finish(whole, labels=labels, each=output.each)
        if output.record is not None and form.keeps_record:
            write_record(whole, output.record)


def _check_axes(axes: str, shape: Sequence[int]) -> None:
    if axes != "".join(axis for axis in AXES if axis in axes) or len(axes) != len(shape):
        raise ValueError(f"axes {axes!r} do not fit a result of shape {tuple(shape)}")


def _format_of_output(path: Path) -> OutputFormat:
    form = find_output_format(path)
    if form is None:
        raise OutputError(f"{path}: results are written as {output_suffixes()}")
    return form


@contextlib.contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says into a message that names the file."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
