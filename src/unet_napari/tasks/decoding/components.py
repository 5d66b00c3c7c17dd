"""Connected components of an array of which only one block at a time is in memory. No torch."""

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

__all__ = ["Components", "changes", "connected", "labelled", "pairs_across", "touching"]


class Components:
    """Numbers of the components of all blocks, and which of them are one across block faces.

    Pixels are connected through their faces, as in a watershed. Several threads may use it at once.

    Parameters
    ----------
    largest
        The largest number that may be given.

    Attributes
    ----------
    count
        The number of components that have been numbered so far.
    """

    def __init__(self, largest: int) -> None:
        self.count = 0
        self._largest = largest
        self._lock = Lock()
        self._pairs: list[NDArray[np.uint64]] = []

    def take(self, count: int) -> int:
        """Return what to add to the numbers 1, 2, ... of a block, so that no other has the same.

        Raises
        ------
        ResourceError
            If there are more components than numbers.
        """
        with self._lock:
            offset = self.count
            self.count += count
        if self.count > self._largest:
            raise ResourceError(
                f"The maps hold more than {self._largest:,} separate pieces, which is noise rather "
                "than cells. Train the model longer, or segment a part of the image."
            )
        return offset

    def join(self, pairs: NDArray[np.uint64]) -> None:
        """Note which components are one, see `pairs_across`."""
        with self._lock:
            self._pairs.append(pairs)

    def roots(self) -> NDArray[np.uint32]:
        """Return for each number the smallest number of the same component; 0 for 0."""
        return connected(np.concatenate([np.empty(0, np.uint64), *self._pairs]), self.count)


def labelled(mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], int]:
    """Return the components of one block, 1, 2, ... and 0 outside the mask, and their number."""
    labels = np.empty(mask.shape, np.uint32)
    count: int = ndimage.label(mask, output=labels)
    return labels, count


def pairs_across(store: Store, box: Box, above: int = 0) -> NDArray[np.uint64]:
    """Return which components of a block go on in the block before, along every axis.

    Parameters
    ----------
    store
        The labels of all blocks, no two of which have one number.
    box
        The block. All blocks must have been labelled.
    above
        Only labels above this number are components, and it is subtracted from them.

    Returns
    -------
    uint64 (N,)
        The number before the face in the upper 32 bits and that behind it in the lower 32.
    """
    found = [np.empty(0, np.uint64)]
    for axis, start in enumerate(box.start):
        if start == 0:
            continue
        face = box.replace_axis(axis, start - 1, start + 1)
        before, after = np.moveaxis(store[face.to_slices()], axis, 0)
        touch = (before > above) & (after > above)
        # A pair in a single number of 64 bits is sorted much faster than two columns.
        pairs = before[touch].astype(np.uint64) - np.uint64(above) << np.uint64(32)
        pairs |= after[touch] - np.uint32(above)
        # Neighbours on a face mostly repeat a pair, so `changes` leaves little to sort.
        found.append(np.unique(pairs[changes(pairs)]))
    return np.concatenate(found)


def connected(pairs: NDArray[np.uint64], count: int) -> NDArray[np.uint32]:
    """Return for each number up to `count` the smallest one that pairs connect it with; 0 for 0.

    Each pair holds one number in its upper 32 bits and the other in its lower 32 bits.
    """
    roots = np.arange(count + 1, dtype=np.uint32)
    if not pairs.size:
        return roots
    ends = (pairs >> np.uint64(32), pairs & np.uint64(2**32 - 1))
    links = sparse.coo_array((np.ones(len(pairs), bool), ends), shape=(roots.size, roots.size))
    of = sparse.csgraph.connected_components(links, directed=False)[1]
    smallest: NDArray[np.uint32] = np.empty(roots.size, np.uint32)
    # NumPy keeps the last of several assignments, so in reverse order the smallest number stays.
    smallest[of[::-1]] = roots[::-1]
    roots[:] = smallest.take(of)
    return roots


def touching(
    inner: NDArray[np.uint32], outer: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return pairs of a value of `inner` and a value of `outer` beside it, both above 0.

    Parameters
    ----------
    inner, outer
        C-contiguous arrays of one shape, which are never above 0 in the same place.

    Returns
    -------
    inner_values, outer_values : uint32 (N,)
        The two values of each pair; a pair may occur repeatedly.
    """
    ends = []
    for axis in range(inner.ndim):
        edge = np.zeros(outer.shape, bool)
        here, there = np.moveaxis(edge, axis, 0), np.moveaxis(outer > 0, axis, 0)
        np.not_equal(there[1:], there[:-1], out=here[:-1])
        at = np.flatnonzero(edge)
        step = outer.strides[axis] // outer.itemsize
        # At an edge of `outer` one of the two places has a value of `outer`, and only the other one
        # can have a value of `inner`. So the sum over both places is the value itself.
        pair = [array.take(at) + array.take(at + step) for array in (inner, outer)]
        new = (pair[0] > 0) & (changes(pair[0]) | changes(pair[1]))
        ends.append([values[new] for values in pair])
    a, b = (np.concatenate(values) for values in zip(*ends, strict=True))
    return a, b


def changes(values: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    """Tell which values of a row differ from the value before; the first one always does."""
    new = np.ones(values.shape, bool)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return new
