"""The strength of the boundary between objects that touch, found block by block. No torch."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.tasks.decoding.components import connected

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Cuts", "cuts_within"]


class Cuts:
    """The cuts between objects that touch: length of each cut, and sum of the boundary along it.

    All sums are whole numbers, so the order in which blocks are added does not matter. Several
    threads may use it at once.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: list[NDArray[np.int64]] = []

    def note(
        self, ids: NDArray[np.uint32], boundary: NDArray[np.uint8], block: tuple[int, ...]
    ) -> None:
        """Add the cuts of a block, see `cuts_within`."""
        self.add(cuts_within(ids, boundary, block))

    def add(self, seen: NDArray[np.int64]) -> None:
        """Add what `cuts_within` has found in a block."""
        with self._lock:
            self._seen.append(seen)

    def one(self, count: int, weakest: float) -> NDArray[np.uint32]:
        """Tell which objects are one because the boundary between them is too weak.

        Parameters
        ----------
        count
            The largest id.
        weakest
            Mean boundary, 0 to 255, below which a cut does not part two objects.

        Returns
        -------
        uint32 (count + 1,)
            For each id the smallest id of the same object.
        """
        pairs, sums, lengths = self.all()
        return connected(pairs[sums < weakest * lengths].view(np.uint64), count)

    def all(self) -> NDArray[np.int64]:
        """Return all cuts, int64 ``(3, N)``.

        The rows are the two ids, in the upper and the lower 32 bits, the sum of the boundary along
        the cut, 0 to 255 at each of its faces, and the number of faces.
        """
        seen = np.concatenate([np.empty((3, 0), np.int64), *self._seen], axis=1)
        return _add_up(np.ascontiguousarray(seen[0]).view(np.uint64), seen[1], seen[2])


def cuts_within(
    ids: NDArray[np.uint32], boundary: NDArray[np.uint8], block: tuple[int, ...]
) -> NDArray[np.int64]:
    """Return the cuts of a block, as `Cuts.all` does for all of them.

    Where two pixels of different objects share a face, the stronger boundary of the two counts.

    Parameters
    ----------
    ids, boundary
        Ids and boundary map of the block, ``(*S)``, with one more pixel after it along each
        axis where the image goes on.
    block
        Shape of the block itself.
    """
    ids, boundary = np.ascontiguousarray(ids), np.ascontiguousarray(boundary)
    pairs, heights = [], []
    for axis in range(ids.ndim):
        differ = np.zeros(ids.shape, bool)
        # The pixels after the block count along this axis alone. Their own block has the rest,
        # so that each face is counted once.
        own = (*map(slice, block[:axis]), slice(None), *map(slice, block[axis + 1 :]))
        row, new = (np.moveaxis(array[own], axis, 0) for array in (ids, differ))
        np.not_equal(row[:-1], row[1:], out=new[:-1])
        at = np.flatnonzero(differ)
        after = at + ids.strides[axis] // ids.itemsize
        here, there = ids.take(at), ids.take(after)
        low = np.minimum(here, there)
        touch = low > 0
        at, after = at[touch], after[touch]
        high = np.maximum(here, there)[touch]
        pairs.append(low[touch].astype(np.uint64) << np.uint64(32) | high)
        heights.append(np.maximum(boundary.take(at), boundary.take(after)))
    return _add_up(np.concatenate(pairs), np.concatenate(heights), 1)


def _add_up(
    pairs: NDArray[np.uint64],
    sums: NDArray[np.int64] | NDArray[np.uint8],
    lengths: NDArray[np.int64] | int,
) -> NDArray[np.int64]:
    """Return each pair once with its sum and length, int64 ``(3, N)``."""
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    starts = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]])[: pairs.size])
    lengths = np.broadcast_to(np.asarray(lengths, np.int64), pairs.shape)
    values = np.stack([sums.astype(np.int64), lengths])[:, order]
    if not starts.size:
        return np.empty((3, 0), np.int64)
    return np.concatenate([pairs[starts].view(np.int64)[None], np.add.reduceat(values, starts, 1)])
