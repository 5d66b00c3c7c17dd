"""The arrays of a segmentation while they are filled in: what has changed is sent."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.remote.packing import PART_BYTES, Block, blocks, part_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.engine.protocol import Progress
    from unet_napari.engine.remote.line import Frame
    from unet_napari.engine.remote.messages import SentArray

__all__ = ["Filling"]

Region = tuple[tuple[int, int], ...]


class Filling:
    """Knows what the other side has of one array that another process writes to.

    Parameters
    ----------
    sent
        What the other side calls it.
    data
        The array.
    """

    def __init__(self, sent: SentArray, data: NDArray[Any]) -> None:
        self._sent, self._data = sent, data
        self._blocks = list(blocks(data.shape, data.itemsize, PART_BYTES))
        self._had: dict[int, bytes] = {}  # digests of the blocks that were sent
        self._lock = threading.Lock()
        self._region: Region | None = None  # what is new

    def note(self, region: Region) -> None:
        """Take note of a part in which something is new."""
        with self._lock:
            known = self._region or region
            both = zip(known, region, strict=True)
            self._region = tuple((min(a, c), max(b, d)) for (a, b), (c, d) in both)

    def news(self, event: Progress) -> tuple[Progress, Iterator[Frame]]:
        """Return a step whose region is all that is new, and the frames of that."""
        with self._lock:
            region, self._region = self._region, None
        if region is None:
            return event, iter(())
        return replace(event, region=region), self._changed(region)

    def rest(self) -> Iterator[Frame]:
        """Yield the frames of all that the other side does not have."""
        return self._changed(tuple((0, length) for length in self._data.shape))

    def _changed(self, region: Region) -> Iterator[Frame]:
        for number, block in enumerate(self._blocks):
            if _overlap(block, region):
                part = np.ascontiguousarray(self._data[block])
                digest = (
                    hashlib.blake2b(part.tobytes(), digest_size=8).digest() if part.any() else b""
                )
                if self._had.get(number, b"") != digest:
                    self._had[number] = digest
                    yield part_frame(self._sent, block, part)


def _overlap(block: Block, region: Region) -> bool:
    return all(
        part.start < stop and start < part.stop
        for part, (start, stop) in zip(block, region, strict=True)
    )
