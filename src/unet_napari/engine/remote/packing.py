"""Arrays and files as frames, and frames as arrays and files again."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.protocol import decode, encode
from unet_napari.engine.remote.line import DATA, Frame
from unet_napari.engine.remote.messages import ArrayPart, FilePart, SentArray

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from unet_napari.engine.arrays import ArrayRef
    from unet_napari.engine.shared import SharedFolder
    from unet_napari.images import LazyArray

__all__ = ["Inbox", "array_frames", "block_frames", "blocks", "file_frames", "part_frame"]

PART_BYTES = 1 << 19  # of an array in one frame, before it is packed
_READ_BYTES = 1 << 26  # read at a time from an array that is not in memory
_HEAD_LENGTH = struct.Struct(">I")

Block = tuple[slice, ...]


def blocks(shape: tuple[int, ...], itemsize: int, limit: int) -> Iterator[Block]:
    """Yield slices that together cover an array, each at most `limit` bytes or one element."""
    sizes: list[int] = []
    left = max(1, limit // itemsize)
    for length in reversed(shape):
        sizes.insert(0, max(1, min(length, left)))
        left = max(1, left // sizes[0])
    starts = [range(0, length, size) for length, size in zip(shape, sizes, strict=True)]
    for corner in itertools.product(*starts):
        ends = zip(corner, sizes, shape, strict=True)
        yield tuple(slice(a, min(a + size, length)) for a, size, length in ends)


def part_frame(sent: SentArray, block: Block, data: NDArray[Any]) -> Frame:
    """Return a part of an array, compressed without loss."""
    from imagecodecs import blosc_encode

    start = tuple(part.start for part in block)
    head = ArrayPart(sent.number, sent.shape, sent.dtype, start, data.shape)
    raw = np.ascontiguousarray(data)
    packed = blosc_encode(
        raw.tobytes(), level=1, compressor="zstd", typesize=raw.itemsize, numthreads=1
    )
    return _data_frame(head, bytes(packed))


def array_frames(sent: SentArray, data: LazyArray) -> Iterator[Frame]:
    """Yield the parts of an array; those that are all zero are left out."""
    for outer in blocks(sent.shape, np.dtype(sent.dtype).itemsize, _READ_BYTES):
        yield from block_frames(sent, outer, data)


def block_frames(sent: SentArray, block: Block, data: LazyArray) -> Iterator[Frame]:
    """Yield the parts of a block of an array, likewise."""
    read = np.asarray(data[block])
    for inner in blocks(read.shape, read.itemsize, PART_BYTES):
        part = read[inner]
        if part.any():
            yield part_frame(sent, _within(block, inner), part)


def file_frames(number: int, path: Path) -> Iterator[Frame]:
    """Yield the parts of a file, which is opened at once.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    file = path.open("rb")

    def parts() -> Iterator[Frame]:
        with file:
            for offset in itertools.count(0, PART_BYTES):
                content = file.read(PART_BYTES)
                if content or not offset:
                    yield _data_frame(FilePart(number, offset), content)
                if len(content) < PART_BYTES:
                    return

    return parts()


class Inbox:
    """Puts arrays and files together from their parts.

    Parameters
    ----------
    shared
        The folder for arrays.
    files
        The folder for files.
    """

    def __init__(self, shared: SharedFolder, files: Path) -> None:
        self._shared, self._files = shared, files
        self._arrays: dict[int, tuple[ArrayRef, NDArray[Any]]] = {}

    def take(self, content: bytes) -> None:
        """Take in a part.

        Raises
        ------
        ValueError
            If it is not whole.
        ResourceError
            If there is no room for it.
        """
        [length] = _HEAD_LENGTH.unpack_from(content)
        behind = _HEAD_LENGTH.size + length
        head = decode(content[_HEAD_LENGTH.size : behind])
        if isinstance(head, ArrayPart):
            self._take_array(head, content[behind:])
        elif isinstance(head, FilePart):
            with self.file(head.number).open("r+b" if head.offset else "wb") as file:
                file.seek(head.offset)
                file.write(content[behind:])

    def array(self, sent: SentArray, *, more: bool = False) -> ArrayRef:
        """Return a reference to an array.

        Parameters
        ----------
        sent
            The array.
        more
            Whether parts of it will come later; until `forget`.
        """
        reference = self._array(sent)[0]
        if not more:
            self.forget(sent.number)
        return reference

    def forget(self, number: int) -> None:
        """Expect no more parts of an array."""
        self._arrays.pop(number, None)

    def drop_unclaimed(self, claimed: Collection[int]) -> None:
        """Remove the arrays that nobody has asked for, as their message will not come."""
        for number in set(self._arrays) - set(claimed):
            self._shared.release(self._arrays.pop(number)[0])

    def file(self, number: int) -> Path:
        """Return where a file is put together."""
        return self._files / f"sent-{number}"

    def _array(self, sent: SentArray | ArrayPart) -> tuple[ArrayRef, NDArray[Any]]:
        if sent.number not in self._arrays:
            self._arrays[sent.number] = self._shared.allocate(sent.shape, sent.dtype)
        return self._arrays[sent.number]

    def _take_array(self, part: ArrayPart, packed: bytes) -> None:
        from imagecodecs import blosc_decode

        data = np.frombuffer(blosc_decode(packed), np.dtype(part.dtype))
        if data.size != math.prod(part.extent):
            raise ValueError("a part of an array is not whole")
        ends = zip(part.start, part.extent, strict=True)
        index = tuple(slice(start, start + size) for start, size in ends)
        self._array(part)[1][index] = data.reshape(part.extent)


def _data_frame(head: ArrayPart | FilePart, content: bytes) -> Frame:
    said = encode(head).encode()
    return Frame(DATA, _HEAD_LENGTH.pack(len(said)) + said + content)


def _within(outer: Block, inner: Block) -> Block:
    return tuple(
        slice(a.start + b.start, a.start + b.stop) for a, b in zip(outer, inner, strict=True)
    )
