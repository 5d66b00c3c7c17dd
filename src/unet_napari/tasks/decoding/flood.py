"""Seeded watershed of one block, and which of its pixels the rest of the image may change.

Seeds grow in steps, all at once, and each step is a few calls of NumPy on the pixels that the last
one has found. When a pixel is reached thus depends on the maps alone, not on the order in which
an image is worked on, so blocks can be flooded one by one. Measured on four million voxels of a
dense tissue: ten times as fast as scikit-image's watershed, whose queue holds one pixel after
the other. bioimage-cpp's watershed goes on with the pixel found last: on a plateau one seed takes
all, and the result depends on the cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["UNKNOWN", "flood"]

UNKNOWN = np.uint32(2**32 - 1)
"""Pixels that something beyond the block may reach before any seed of the block does."""
_CLOSED = np.uint32(2**32 - 2)
_LEVELS = 256
# From so many pixels on, one direction at a time needs less memory and no more time.
_MANY = 2**13


def flood(
    relief: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    seeds: NDArray[np.uint32],
    open_sides: Sequence[tuple[bool, bool]] = (),
) -> NDArray[np.uint32]:
    """Let seeds grow, lowest relief first, as far as the mask reaches.

    A pixel goes to the seed that reaches it across the lowest ridge (Meyer's flooding); where
    several do, to the one that is beside it first, in steps within this height; where these are
    equal, too, by direction: the one after it along the first axis, the next ..., then before it.

    Parameters
    ----------
    relief, mask, seeds
        ``(*S)``; `seeds` are ids below 2^32 - 2, 0 for none, all within the mask.
    open_sides
        Per axis, whether the image goes on before and after the block. Then what could come in
        there takes part, at the earliest time possible. So every pixel that is not `UNKNOWN` in
        the end has the id that it has in the whole image.

    Returns
    -------
    uint32 (*S)
        Ids, 0 where none arrives, or `UNKNOWN`.
    """
    inside = (slice(1, -1),) * mask.ndim
    labels = np.full([size + 2 for size in mask.shape], _CLOSED)
    np.copyto(labels[inside], seeds, where=mask)
    free = labels == 0
    doubtful = np.zeros_like(free)
    doubtful[inside] = _on_sides(free[inside], open_sides)
    free &= ~doubtful
    labels[doubtful] = UNKNOWN
    rim = _beside(free) & (labels < _CLOSED) & ~free
    heights = np.zeros(labels.shape, np.uint8)
    heights[inside] = relief
    _grow(labels, heights.ravel(), np.flatnonzero(rim), np.flatnonzero(doubtful))
    result = labels[inside]
    result[~mask] = 0
    return result


def _grow(
    labels: NDArray[np.uint32],
    heights: NDArray[np.uint8],
    rim: NDArray[np.intp],
    reached: NDArray[np.intp],
) -> None:
    """Let the rim of the seeds and the pixels already reached grow into labels of 0."""
    steps = np.array(labels.strides)[:, None] // labels.itemsize
    offsets = np.concatenate([-steps, steps[::-1]])
    flat = labels.ravel()
    waiting: list[list[NDArray[np.intp]]] = [[] for _ in range(_LEVELS)]
    _sort(np.concatenate([reached, _step(flat, offsets, rim)]), heights, waiting)
    for level, pixels in enumerate(waiting):
        if not pixels:
            continue
        front, higher = np.concatenate(pixels), []
        pixels.clear()
        while front.size:
            found = _step(flat, offsets, front)
            now = heights.take(found) <= level
            higher.append(found[~now])
            front = found[now]
        _sort(np.concatenate(higher), heights, waiting)


def _step(
    labels: NDArray[np.uint32], offsets: NDArray[np.intp], front: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Give the labels of some pixels to their neighbours without any; return these.

    If a pixel is reached from several directions at once, the first one counts.
    """
    found = []
    ids = labels.take(front)
    for part in offsets[:, None] if front.size > _MANY else (offsets,):
        pixels = (part + front).ravel()
        index = (labels.take(pixels) == 0).nonzero()[0]
        pixels = pixels.take(index)
        if part.size > 1:
            # Each pixel once: of what is assigned to one in turn, the last stays.
            order = np.arange(index.size, dtype=labels.dtype)
            labels[pixels[::-1]] = order[::-1]
            first = labels.take(pixels) == order
            pixels, index = pixels[first], index[first] % front.size
        labels[pixels] = ids.take(index)
        found.append(pixels)
    return np.concatenate(found)


def _sort(
    pixels: NDArray[np.intp], heights: NDArray[np.uint8], waiting: list[list[NDArray[np.intp]]]
) -> None:
    """Let pixels wait for their levels."""
    height = heights.take(pixels)
    pixels = pixels.take(np.argsort(height, kind="stable"))
    counts = np.bincount(height)
    start = 0
    for level in counts.nonzero()[0].tolist():
        stop = start + counts[level]
        waiting[level].append(pixels[start:stop])
        start = stop


def _beside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels that share a face with a pixel of the mask."""
    beside = np.zeros_like(mask)
    for axis in range(mask.ndim):
        to, of = np.moveaxis(beside, axis, 0), np.moveaxis(mask, axis, 0)
        to[1:] |= of[:-1]
        to[:-1] |= of[1:]
    return beside


def _on_sides(
    mask: NDArray[np.bool_], open_sides: Sequence[tuple[bool, bool]]
) -> NDArray[np.bool_]:
    """Return the part of the mask that lies on the open sides."""
    part = np.zeros_like(mask)
    for axis, sides in enumerate(open_sides):
        to, of = np.moveaxis(part, axis, 0), np.moveaxis(mask, axis, 0)
        for end, is_open in zip((0, -1), sides, strict=True):
            if is_open:
                to[end] |= of[end]
    return part
