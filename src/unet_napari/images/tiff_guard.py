"""What damaged or hostile TIFF files would make tifffile do for hours, or with gigabytes."""

from __future__ import annotations

import math
import struct

import tifffile

from unet_napari.errors import ImageError

__all__ = ["MOST_PLANES", "guard"]

MOST_PLANES = 10_000_000
"""Planes that a header may announce, as tifffile keeps a list of them."""
_SUMMARY = ("Channels", "Slices", "Frames", "Positions")


class _Bounded(tifffile.FileHandle):  # type: ignore[misc]  # final: no other way to bound it
    """Asks for no more bytes than the file has, as room for them is made first."""

    __slots__ = ()

    def read(self, size: int = -1, /) -> bytes:
        """Return bytes read from the file."""
        return super().read(min(size, self.size))


def guard(tif: tifffile.TiffFile) -> None:
    """Bound what is read at once, and refuse circles of pages and absurd numbers of them.

    Raises
    ------
    ImageError
        Without the name of the file.
    """
    tif.filehandle.__class__ = _Bounded
    _check_chain(tif)
    _check_index(tif)


def _check_chain(tif: tifffile.TiffFile) -> None:
    """Follow the directories, each of which says where the next one is; tifffile never stops."""
    if tif.is_ndpi:  # has 64-bit offsets in places of its own, which tifffile knows
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
    said = [found.get("Summary", {}).get(name, 1) for name in _SUMMARY]
    size = math.prod(max(a, int(b)) for a, b in zip(planes, said, strict=True))
    if size > MOST_PLANES:
        raise ImageError(f"announces {size} planes in its index; that cannot be right")
