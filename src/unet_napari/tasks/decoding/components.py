"""Connected components of an array that is seen block by block. No torch."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse

from unet_napari.errors import ResourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.geometry import Box
    from unet_napari.tasks.decoding.blocks import Store

__all__ = ["Components", "changes", "connected", "touching"]


class Components:
    """Numbers for the components of each block, and which of them are one across the faces.

    Pixels are connected through their faces, as in a watershed. Safe to be used by several threads.

    Parameters
    ----------
    largest
        The largest number that may be given.
    """

    def __init__(self, largest: int) -> None:
        self.count = 0
        self._largest = largest
        self._lock = Lock()
        self._pairs: list[NDArray[np.uint64]] = []

    def label(self, mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], int, int]:
        """Give numbers to the components of one block.

        Returns
        -------
        labels : uint32 (*S)
            1, 2, ... within the block; 0 outside the mask.
        count : int
            How many there are.
        offset : int
            What is to be added to them, so that no other block has the same.

        Raises
        ------
        ResourceError
            If there are more components than numbers.
        """
        labels = np.empty(mask.shape, np.uint32)
        count = ndimage.label(mask, output=labels)
        with self._lock:
            offset = self.count
            self.count += count
        if self.count > self._largest:
            raise ResourceError(
                f"The maps hold more than {self._largest:,} separate pieces, which is noise rather "
                "than cells. Train the model longer, or segment a part of the image."
            )
        return labels, count, offset

    def join(self, store: Store, box: Box, above: int = 0) -> None:
        """Note which components of a block go on in the block before, along every axis.

        Parameters
        ----------
        store
            Where the labels of all blocks are.
        box
            The block.
        above
            Only labels above it are components, and it is subtracted from them.
        """
        for axis, start in enumerate(box.start):
            if start == 0:
                continue
            face = box.replace_axis(axis, start - 1, start + 1)
            before, after = np.moveaxis(store[face.to_slices()], axis, 0)
            touch = (before > above) & (after > above)
            pairs = before[touch].astype(np.uint64) - np.uint64(above) << np.uint64(32)
            pairs |= after[touch] - np.uint32(above)
            with self._lock:
                self._pairs.append(np.unique(pairs[changes(pairs)]))

    def roots(self) -> NDArray[np.uint32]:
        """Return for each number the smallest number of the same component; 0 for 0."""
        return connected(np.concatenate([np.empty(0, np.uint64), *self._pairs]), self.count)


def connected(pairs: NDArray[np.uint64], count: int) -> NDArray[np.uint32]:
    """Return for each number up to `count` the smallest that pairs connect it with; 0 for 0.

    A pair is one number in the upper 32 bits and one in the lower.
    """
    roots = np.arange(count + 1, dtype=np.uint32)
    if not pairs.size:
        return roots
    ends = (pairs >> np.uint64(32), pairs & np.uint64(2**32 - 1))
    links = sparse.coo_array((np.ones(len(pairs), bool), ends), shape=(roots.size, roots.size))
    of = sparse.csgraph.connected_components(links, directed=False)[1]
    smallest: NDArray[np.uint32] = np.empty(roots.size, np.uint32)
    smallest[of[::-1]] = roots[::-1]  # the last assignment stays
    roots[:] = smallest.take(of)
    return roots


def touching(
    inner: NDArray[np.uint32], outer: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return pairs of a value above 0 of `inner` and one of `outer` beside it, some repeatedly.

    Both are uint32 of one shape, and never above 0 in the same place.
    """
    ends = []
    for axis in range(inner.ndim):
        edge = np.zeros(outer.shape, bool)
        here, there = np.moveaxis(edge, axis, 0), np.moveaxis(outer > 0, axis, 0)
        np.not_equal(there[1:], there[:-1], out=here[:-1])
        at = np.flatnonzero(edge)
        step = outer.strides[axis] // outer.itemsize
        # One of the two is 0 in each place, and one of the places in each.
        pair = [array.take(at) + array.take(at + step) for array in (inner, outer)]
        new = (pair[0] > 0) & (changes(pair[0]) | changes(pair[1]))
        ends.append([values[new] for values in pair])
    a, b = (np.concatenate(values) for values in zip(*ends, strict=True))
    return a, b


def changes(values: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    """Tell which values of a row differ from the one before."""
    new = np.ones(values.shape, bool)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return new
