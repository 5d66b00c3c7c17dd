"""A store for a zarr on disk, which looks at chunks before a decoder makes room for them.

This module imports zarr, which takes 0.3 s.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from zarr.storage import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CheckedStore", "announced_size", "compressed_size"]

# Filters may enlarge a chunk before it is compressed, at most by this factor and so many bytes.
_FILTER_FACTOR, _FILTER_BYTES = 4, 2**22
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# Beginning of the index of a shard whose first chunk is empty.
_NO_CHUNK = b"\xff" * 8


class CheckedStore(LocalStore):
    """A store that refuses chunks whose header announces far more bytes than their array has.

    Parameters
    ----------
    path
        The folder of the array.
    codecs
        The part of its metadata that describes the compression.
    """

    def __init__(self, path: Path, codecs: object) -> None:
        super().__init__(path, read_only=True)
        self._codecs = json.dumps(codecs).lower()
        self.most = 0  # Size of a chunk in bytes; 0 until it is known.

    async def get(self, key: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        """Read a file of the array, or a part of it."""
        value = await super().get(key, *arguments, **options)
        if value is not None and self.most and not key.endswith(("zarr.json", ".zarray")):
            self._check(key, value[:18].to_bytes(), len(value))
        return value

    def _check(self, key: str, start: bytes, length: int) -> None:
        if start[:8] == _NO_CHUNK:
            return
        size = announced_size(start, self._codecs)
        if size > _FILTER_FACTOR * self.most + _FILTER_BYTES:
            raise ValueError(f"its chunk {key} announces {size} bytes, and is damaged")
        # Blosc reads as many bytes as the header names, also beyond the end, which may kill the
        # process.
        if "blosc" in self._codecs and compressed_size(start) > length:
            raise ValueError(f"its chunk {key} is shorter than it says, and is damaged")


def compressed_size(start: bytes) -> int:
    """Return the number of bytes that a chunk of Blosc names as its own, in its first 16 bytes."""
    return int(struct.unpack_from("<I", start, 12)[0]) if len(start) >= 16 else 0


def announced_size(start: bytes, codecs: str) -> int:
    """Return the number of bytes that a compressed chunk announces in its first 18 bytes.

    It is 0 if it is not known. The formats are those of Blosc's README_CHUNK_FORMAT, of RFC 8878
    (Zstandard) and of numcodecs, which puts the size before LZ4 data.
    """
    if "blosc" in codecs and len(start) >= 16:
        return int(struct.unpack_from("<I", start, 4)[0])
    if "zstd" in codecs and start[:4] == _ZSTD_MAGIC and len(start) >= 5:
        flags = start[4]
        single = flags >> 5 & 1
        place = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3]
        size = (single, 2, 4, 8)[flags >> 6]
        return int.from_bytes(start[place : place + size], "little")
    if "lz4" in codecs and len(start) >= 4:
        return int(struct.unpack_from("<I", start)[0])
    return 0
