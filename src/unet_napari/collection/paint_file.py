"""Labels of an image as a file: opened, saved whole, and never written over newer ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari import images
from unet_napari.collection.names import numbered
from unet_napari.errors import ImageError, LabelsError
from unet_napari.images.axes import AXES, describe_shape
from unet_napari.labels.label_axes import labels_shape, read_labels
from unet_napari.labels.sparse import boxes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from unet_napari.images import Image, LazyArray

__all__ = ["PaintTarget", "PaintToSave", "Stamp", "load_paint", "stamp"]

_LARGEST = 2**32 - 1  # number of a label


@dataclass(frozen=True)
class Stamp:
    """What tells whether a file is still the one that it was.

    Attributes
    ----------
    modified
        Nanoseconds.
    size
        Bytes.
    number
        Number of the file in its file system; every file that is put in place has another one.
    """

    modified: int
    size: int
    number: int


def stamp(path: Path | None) -> Stamp | None:
    """Return the stamp of a file; None if there is no such file."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)


def load_paint(path: Path, image: Image) -> NDArray[Any]:
    """Read the labels of an image to be painted on: of 16 bits where that is enough, else of 32.

    Raises
    ------
    ImageError
        If the file cannot be read.
    LabelsError
        If they are no labels of this image, naming both.
    """
    stored = read_labels(path, image)
    wanted = labels_shape(image)
    if tuple(stored.shape) != wanted:
        raise LabelsError(
            f"'{path.name}' has the shape {describe_shape(stored.shape)}, but labels of "
            f"'{image.name}' have {describe_shape(wanted)}."
        )
    if np.dtype(stored.dtype).kind not in "iub":
        raise LabelsError(f"'{path.name}' does not hold labels: they are whole numbers.")
    try:
        pixels = np.asarray(stored[...])
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # decoders of damaged files raise whatever they like
        raise ImageError(f"'{path}' cannot be read: {error}") from error
    if pixels.min() < 0 or pixels.max() > _LARGEST:
        raise LabelsError(f"'{path.name}' has numbers that no label has, below 0 or above 2^32.")
    dtype = np.uint16 if pixels.max() <= np.iinfo(np.uint16).max else np.uint32
    return np.array(pixels, dtype)


@dataclass(frozen=True)
class PaintToSave:
    """Labels that are to be saved.

    Attributes
    ----------
    labels
        The pixels.
    axes
        One letter of ``TZYX`` for each of their axes, in any order.
    pixel_size
        Micrometres by axis, where known.
    """

    labels: LazyArray
    axes: str
    pixel_size: Mapping[str, float]


class PaintTarget:
    """The file that the paint of one image goes to; it is never written over newer paint.

    Parameters
    ----------
    path
        The file, a TIFF.
    known
        Stamp of the file when the labels were read from it; None if there was none.

    Attributes
    ----------
    path : Path
        Where the paint goes. If somebody else has changed the file, that is another one beside
        it, such as ``a_labels_2.tif``.
    moved : bool
        Whether it has become another one so.
    """

    def __init__(self, path: Path, known: Stamp | None) -> None:
        self.path, self._known = path, known
        self.moved = False

    def save(self, paint: PaintToSave) -> None:
        """Save labels as the file, whole or not at all.

        Raises
        ------
        OutputError
            If the file cannot be written; what was there before is unharmed.
        LabelsError
            If there are numbers that no file of labels holds.
        """
        if stamp(self.path) not in (None, self._known):
            self.path, self.moved = numbered(self.path), True
        _write(self.path, paint)
        self._known = stamp(self.path)


def _write(path: Path, paint: PaintToSave) -> None:
    order = [paint.axes.index(axis) for axis in AXES if axis in paint.axes]
    labels = paint.labels
    with images.open_output(
        path,
        shape=[labels.shape[axis] for axis in order],
        dtype=_stored_dtype(np.dtype(labels.dtype)),
        axes="".join(paint.axes[axis] for axis in order),
        pixel_size=paint.pixel_size,
        overwrite=True,
        labels=True,
    ) as output:
        for box in boxes(labels):
            part = box.to_slices()
            pixels = np.asarray(labels[part])
            if pixels.min(initial=0) < 0 or pixels.max(initial=0) > _LARGEST:
                raise LabelsError(f"'{path.name}' cannot hold labels below 0 or above {_LARGEST}.")
            output[tuple(part[axis] for axis in order)] = pixels.transpose(order)


def _stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that labels are stored with; the files know none of 64 bits."""
    small = dtype.kind == "u" and dtype.itemsize <= 2
    return dtype if small else np.dtype(np.uint32)
