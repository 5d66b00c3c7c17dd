"""Chunks of a zarr on disk, looked at before a decoder makes the room that they ask for.

Imports zarr, which takes 0.3 s.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from zarr.storage import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CheckedStore", "announced_size", "compressed_size"]

# Filters may make a chunk a little larger before it is compressed.
_LARGER, _HARMLESS = 4, 2**22
_ZSTD = b"\x28\xb5\x2f\xfd"
_NO_CHUNK = b"\xff" * 8  # in the index of a shard, where its first chunk is empty


class CheckedStore(LocalStore):
    """Refuses chunks whose header announces far more than the chunks of their array hold.

    Parameters
    ----------
    path
        The folder of the array.
    codecs
        What its metadata say of its compression.
    """

    def __init__(self, path: Path, codecs: object) -> None:
        super().__init__(path, read_only=True)
        self._codecs = json.dumps(codecs).lower()
        self.most = 0  # bytes of a chunk, once they are known

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
        if size > _LARGER * self.most + _HARMLESS:
            raise ValueError(f"its chunk {key} announces {size} bytes, and is damaged")
        # Blosc reads as many bytes as the header says, also beyond the end: the process may die.
        if "blosc" in self._codecs and compressed_size(start) > length:
            raise ValueError(f"its chunk {key} is shorter than it says, and is damaged")


def compressed_size(start: bytes) -> int:
    """Return how long a chunk of Blosc says that it is itself, from its first 16 bytes."""
    return int(struct.unpack_from("<I", start, 12)[0]) if len(start) >= 16 else 0


def announced_size(start: bytes, codecs: str) -> int:
    """Return the bytes that a compressed chunk says it holds, from its first 18; 0 if unknown.

    After Blosc's README_CHUNK_FORMAT, RFC 8878 (Zstandard) and numcodecs, which puts the size
    before LZ4 data.
    """
    if "blosc" in codecs and len(start) >= 16:
        return int(struct.unpack_from("<I", start, 4)[0])
    if "zstd" in codecs and start[:4] == _ZSTD and len(start) >= 5:
        flags = start[4]
        single = flags >> 5 & 1
        place = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3]
        size = (single, 2, 4, 8)[flags >> 6]
        return int.from_bytes(start[place : place + size], "little")
    if "lz4" in codecs and len(start) >= 4:
        return int(struct.unpack_from("<I", start)[0])
    return 0
