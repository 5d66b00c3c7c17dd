"""Painted labels as arrays of bytes that a state file holds, and back. Free of torch."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import ModelFileError
from unet_napari.geometry import Box
from unet_napari.labels.sparse import SparseArray

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = ["PackedPaint", "unpack_paint"]

_LEVEL = 1  # of zlib: strokes shrink a hundredfold at any level
_PARTS = ("boxes", "ends", "bytes")


class PackedPaint:
    """Packs the blocks of a sparse array; those that did not change are packed once."""

    def __init__(self) -> None:
        self._packed: dict[Box, bytes] = {}

    def forget(self, box: Box) -> None:
        """Take note that the array has changed in a box."""
        touched = [known for known in self._packed if known.intersect(box).size]
        for known in touched:
            del self._packed[known]

    def pack(self, name: str, array: SparseArray) -> dict[str, NDArray[Any]]:
        """Return the arrays that `unpack_paint` takes, their names beginning with `name`."""
        boxes = list(array.boxes())
        blocks = [self._block(box, array) for box in boxes]
        spans = np.array([[box.start, box.stop] for box in boxes], np.int64)
        ends = np.cumsum([len(block) for block in blocks], dtype=np.int64)
        content = np.frombuffer(b"".join(blocks), np.uint8)
        arrays: list[NDArray[Any]] = [spans.reshape(len(boxes), 2, array.ndim), ends, content]
        return {f"{name}.{part}": array for part, array in zip(_PARTS, arrays, strict=True)}

    def _block(self, box: Box, array: SparseArray) -> bytes:
        if box not in self._packed:
            block = np.ascontiguousarray(array[box.to_slices()])
            self._packed[box] = zlib.compress(block.data.cast("B"), _LEVEL)
        return self._packed[box]


def unpack_paint(
    name: str, shape: Sequence[int], dtype: DTypeLike, read: Callable[[str], NDArray[Any]]
) -> SparseArray:
    """Return the array that `PackedPaint.pack` has packed.

    Parameters
    ----------
    name
        The name that it was packed under.
    shape, dtype
        Shape and type of the array.
    read
        Returns one of the packed arrays by its name.

    Raises
    ------
    ModelFileError
        If they are damaged.
    """
    array = SparseArray(shape, dtype)
    spans, ends, content = (read(f"{name}.{part}") for part in _PARTS)
    if spans.shape != (len(ends), 2, array.ndim):
        raise ModelFileError("its paint is damaged")
    begin = 0
    for span, end in zip(spans.tolist(), ends.tolist(), strict=True):
        box = Box(tuple(span[0]), tuple(span[1]))
        inside = all(0 <= a < b <= n for (a, b), n in zip(box.spans, array.shape, strict=True))
        if not inside or box.size > 2**24:
            raise ModelFileError("its paint is damaged")
        expected = box.size * array.dtype.itemsize
        try:
            block = zlib.decompressobj().decompress(content[begin:end].data, expected)
        except zlib.error as error:
            raise ModelFileError("its paint is damaged") from error
        if len(block) != expected:
            raise ModelFileError("its paint is damaged")
        array.put(box, np.frombuffer(block, array.dtype).reshape(box.shape))
        begin = end
    return array
