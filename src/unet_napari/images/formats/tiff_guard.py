"""Bounds for damaged or hostile TIFF files, which tifffile would read for hours or by gigabytes."""

from __future__ import annotations

import math
import struct
from typing import Any

import tifffile

from unet_napari.errors import ImageError

__all__ = ["MOST_PLANES", "guard"]

MOST_PLANES = 10_000_000
"""Largest number of planes that a header may announce, as tifffile keeps a list of them."""
_SUMMARY_KEYS = ("Channels", "Slices", "Frames", "Positions")


class _Bounded(tifffile.FileHandle):  # type: ignore[misc]  # final: no other way to bound it
    """A file of which no more bytes are asked for than it has, as room for them is made first."""

    __slots__ = ()

    def read(self, size: int = -1, /) -> bytes:
        """Return bytes read from the file."""
        return super().read(min(size, self.size))


def guard(tif: tifffile.TiffFile) -> None:
    """Bound what is read at once, and refuse circles of pages and absurd numbers of them.

    Raises
    ------
    ImageError
        If it is refused; the message lacks the name of the file.
    """
    tif.filehandle.__class__ = _Bounded
    _check_chain(tif)
    _check_index(tif)


def _check_chain(tif: tifffile.TiffFile) -> None:
    """Follow the directories, each of which says where the next one is; tifffile never stops."""
    if tif.is_ndpi:  # It has 64-bit offsets in places of its own, which tifffile knows.
        return
    form, file = tif.tiff, tif.filehandle
    seen: set[int] = set()
    file.seek(8 if form.is_bigtiff else 4)
    while True:
        data = file.read(form.offsetsize)
        if len(data) < form.offsetsize:
            return
        offset = struct.unpack(form.offsetformat, data)[0]
        if offset in seen:
            raise ImageError("is damaged: its pages point to each other in a circle")
        if offset == 0 or offset + form.tagnosize > file.size:
            return
        seen.add(offset)
        file.seek(offset)
        count = struct.unpack(form.tagnoformat, file.read(form.tagnosize))[0]
        file.seek(offset + form.tagnosize + count * form.tagsize)


def _check_index(tif: tifffile.TiffFile) -> None:
    """Refuse an index of Micro-Manager with more planes than tifffile can make a list of."""
    found = tif.micromanager_metadata if tif.is_mmstack else None
    if not found or "IndexMap" not in found:
        return
    planes = [int(size) + 1 for size in found["IndexMap"][:, :4].max(axis=0)]
    announced = [found.get("Summary", {}).get(name, 1) for name in _SUMMARY_KEYS]
    size = math.prod(max(a, int(b)) for a, b in zip(planes, announced, strict=True))
    if size > MOST_PLANES:
        raise ImageError(f"announces {size} planes in its index; that cannot be right")


# TIFF compression numbers of JPEG, the old and the new one and those of some makers.
_JPEG_COMPRESSIONS = (6, 7, 33007, 34892, 65426)
# Number of pixels of a chunk up to which it is harmless whatever it announces.
_HARMLESS_PIXELS = 2**22
# Markers of JPEG that name the size of a picture, and markers that have no length.
_FRAME_MARKERS = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_BARE_MARKERS = (0x00, 0x01, *range(0xD0, 0xD9))


def guard_decoding(page: tifffile.TiffPage) -> None:
    """Make a page refuse chunks that announce far more pixels than its chunks have.

    A JPEG stream names a size of its own, for which its decoder sets memory aside.
    """
    if int(page.compression) not in _JPEG_COMPRESSIONS:
        return
    decode = page.decode
    rows, columns = (
        (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    )
    most = _HARMLESS_PIXELS + 4 * min(rows, page.imagelength + page.tilelength) * columns

    def checked(data: bytes | None, *place: Any, **tables: Any) -> Any:  # noqa: ANN401 (as tifffile's)
        pixels = _announced(data or b"")
        if pixels > most:
            raise ValueError(f"a part of it announces {pixels} pixels")
        return decode(data, *place, **tables)

    page.decode = checked


def _announced(data: bytes) -> int:
    """Return the number of pixels that a JPEG stream announces; 0 if it announces none."""
    place = data.find(b"\xff")
    while 0 <= place < len(data) - 9:
        marker = data[place + 1]
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return int(height * width)
        if marker == 0xDA:  # the pixels begin
            return 0
        step = 1 if marker == 0xFF else 2
        if marker != 0xFF and marker not in _BARE_MARKERS:
            step += int.from_bytes(data[place + 2 : place + 4], "big")
        place = data.find(b"\xff", place + step)
    return 0
