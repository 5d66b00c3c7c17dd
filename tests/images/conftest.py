"""Helpers of the image tests: a TIFF written tag by tag, and arrays that tell what is read."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def raw_tiff(tmp_path: Path):
    """Write a little-endian TIFF with one page whose tags may tell any lie."""

    def write(width, height, *, compression=1, pixels=b"", tags=(), description=b""):
        entries = {
            256: (4, width),
            257: (4, height),
            258: (3, 8),
            259: (3, compression),
            262: (3, 1),
            273: (4, 8 + 2 + 12 * 16 + 4),
            277: (3, 1),
            278: (4, height),
            279: (4, len(pixels)),
            **dict(tags),
        }
        texts = pixels
        if description:
            entries[270] = (2, len(description), 8 + 2 + 12 * 16 + 4 + len(pixels))
            texts += description
        head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries))
        for code, (kind, *rest) in sorted(entries.items()):
            count, value = rest if len(rest) == 2 else (1, rest[0])
            head += struct.pack("<HHII", code, kind, count, value)
        head = (head + struct.pack("<I", 0)).ljust(8 + 2 + 12 * 16 + 4, b"\0")
        path = tmp_path / "raw.tif"
        path.write_bytes(head + texts)
        return path

    return write


class Recorder:
    """An array that keeps a list of what was read of it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype
        self.keys: list[Any] = []

    def __getitem__(self, key):
        self.keys.append(key)
        return self.array[key]


@pytest.fixture
def recorder():
    """Return the class of arrays that keep a list of what was read of them."""
    return Recorder
