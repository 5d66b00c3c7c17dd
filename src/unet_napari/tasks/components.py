"""Connected components of an array that is seen block by block. No torch."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse

from unet_napari.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.tasks.blocks import Box, Store

__all__ = ["Components"]


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
        self._pairs: list[NDArray[np.int64]] = []

    def label(self, mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], int, int]:
        """Give numbers to the components of one block.

        Returns
        -------
        labels : uint32 (*S)
            ``offset + 1, offset + 2, ...``, which no other block has; 0 outside the mask.
        count : int
            How many there are.
        offset : int

        Raises
        ------
        ResourceError
            If there are more components than numbers.
        """
        labels, count = ndimage.label(mask)
        with self._lock:
            offset = self.count
            self.count += count
        if self.count > self._largest:
            raise ResourceError(
                f"The maps hold more than {self._largest:,} separate pieces, which is noise rather "
                "than cells. Train the model longer, or segment a part of the image."
            )
        labels = labels.astype(np.uint32, copy=False)
        if offset:
            labels[mask] += np.uint32(offset)
        return labels, count, offset

    def join(self, store: Store, box: Box, marked: int = 0) -> None:
        """Note which components of a block go on in the block before, along every axis.

        Parameters
        ----------
        store
            Where the labels of all blocks are, 0 for none.
        box
            The block.
        marked
            Only labels above it are components, and it is subtracted from them.
        """
        for axis, side in enumerate(box):
            if side.start == 0:
                continue
            face = (*box[:axis], slice(side.start - 1, side.start + 1), *box[axis + 1 :])
            before, after = np.moveaxis(store[face], axis, 0)
            touch = (before > marked) & (after > marked)
            pairs = np.stack([before[touch], after[touch]], axis=1).astype(np.int64) - marked
            with self._lock:
                self._pairs.append(np.unique(pairs, axis=0))

    def roots(self) -> NDArray[np.uint32]:
        """Return for each number the smallest number of the same component; 0 for 0."""
        roots = np.arange(self.count + 1, dtype=np.uint32)
        pairs = np.concatenate(self._pairs) if self._pairs else np.zeros((0, 2), np.int64)
        if len(pairs):
            size = self.count + 1
            links = sparse.coo_array((np.ones(len(pairs), bool), pairs.T), shape=(size, size))
            of = sparse.csgraph.connected_components(links, directed=False)[1]
            smallest = np.full(size, size, np.uint32)
            np.minimum.at(smallest, of, roots)
            roots = smallest[of]
        return roots


def neighbours(
    inner: NDArray[np.integer], outer: NDArray[np.integer]
) -> Iterator[tuple[NDArray[np.integer], NDArray[np.integer]]]:
    """Yield pairs of a value above 0 of `inner` and a value above 0 of `outer` beside it.

    Both have one shape.
    """
    for axis in range(inner.ndim):
        a, b = np.moveaxis(inner, axis, 0), np.moveaxis(outer, axis, 0)
        for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            touch = (a[here] > 0) & (b[there] > 0)
            yield a[here][touch], b[there][touch]
