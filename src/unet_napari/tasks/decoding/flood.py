"""Seeded watershed of one block, and which of its pixels the rest of the image may change.

All seeds grow at the same time, in steps, and each step is a few calls of NumPy on the pixels that
the step before has found. So the time at which a pixel is reached depends on the maps alone, not on
the order in which an image is worked on, and blocks can be flooded one by one.

On four million voxels of a dense tissue this was ten times as fast as scikit-image's watershed,
whose queue holds one pixel after the other. The watershed of bioimage-cpp goes on with the pixel
that it found last, so that one seed takes all of a plateau, and the result depends on the cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["UNKNOWN", "flood"]

UNKNOWN = np.uint32(2**32 - 1)
"""Label of pixels that something beyond the block may reach before any seed of the block does."""
# Label of the frame around the block, which nothing may grow into.
_FRAME_LABEL = np.uint32(2**32 - 2)
# Number of heights that the relief, of one byte, can have.
_LEVELS = 256
# Number of pixels of a front from which on one direction at a time needs less memory, and no more
# time than all directions together.
_LARGE_FRONT = 2**13


def flood(
    relief: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    seeds: NDArray[np.uint32],
    open_sides: Sequence[tuple[bool, bool]] = (),
) -> NDArray[np.uint32]:
    """Let seeds grow, lowest relief first, as far as the mask reaches.

    A pixel goes to the seed that reaches it across the lowest ridge (Meyer's flooding). Where
    several seeds do, it goes to the one that arrives in the fewest steps at this height. Where
    these are equal, too, the direction decides: the seed that comes from the pixel after it along
    the first axis wins, then along the second and so on, then from the pixels before it.

    Parameters
    ----------
    relief
        Height of each pixel, ``(*S)``.
    mask
        The pixels that may get a label, ``(*S)``.
    seeds
        Ids below 2^32 - 2 where seeds are, all of them within the mask, else 0; ``(*S)``.
    open_sides
        For each axis, whether the image goes on before the block, and after it. Whatever could come
        in at an open side takes part as a seed of its own, from the earliest time possible. So
        every pixel that is not `UNKNOWN` in the end has the id that it has in the whole image.

    Returns
    -------
    uint32 (*S)
        The ids, 0 where no seed arrives, or `UNKNOWN`.
    """
    # A closed frame of one pixel spares each step the question whether a neighbour exists.
    inside = (slice(1, -1),) * mask.ndim
    labels = np.full([size + 2 for size in mask.shape], _FRAME_LABEL)
    np.copyto(labels[inside], seeds, where=mask)
    free = labels == 0
    # The earliest that something from beyond could be at an open side is the very start.
    doubtful = np.zeros_like(free)
    doubtful[inside] = _on_sides(free[inside], open_sides)
    free &= ~doubtful
    labels[doubtful] = UNKNOWN
    # Only the outermost pixels of the seeds can grow.
    rim = _face_neighbours(free) & (labels < _FRAME_LABEL) & ~free
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
    """Let the rim of the seeds, and the pixels already reached, grow into pixels of label 0."""
    steps = np.array(labels.strides)[:, None] // labels.itemsize
    # The order of the directions decides between seeds that arrive at once, see `flood`: a pixel
    # that is found by a step back along the first axis has its seed after it.
    offsets = np.concatenate([-steps, steps[::-1]])
    flat = labels.ravel()
    # For each level the pixels that have a label and have not passed it on to their neighbours.
    waiting: list[list[NDArray[np.intp]]] = [[] for _ in range(_LEVELS)]
    _sort(np.concatenate([reached, _grow_step(flat, offsets, rim)]), heights, waiting)
    for level, pixels in enumerate(waiting):
        if not pixels:
            continue
        front, higher = np.concatenate(pixels), []
        pixels.clear()
        while front.size:
            found = _grow_step(flat, offsets, front)
            # A pixel below this level is flooded at once: the water already stands above it.
            now = heights.take(found) <= level
            higher.append(found[~now])
            front = found[now]
        _sort(np.concatenate(higher), heights, waiting)


def _grow_step(
    labels: NDArray[np.uint32], offsets: NDArray[np.intp], front: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Give the labels of some pixels to their neighbours that have none, and return these.

    If a pixel is reached from several directions at once, the first one counts.
    """
    found = []
    ids = labels.take(front)
    for part in offsets[:, None] if front.size > _LARGE_FRONT else (offsets,):
        pixels = (part + front).ravel()
        index = (labels.take(pixels) == 0).nonzero()[0]
        pixels = pixels.take(index)
        if part.size > 1:
            # A pixel may have been found from several directions. NumPy keeps the last of several
            # assignments, so in reverse order each pixel keeps the number of its first finder.
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
    """Put pixels among those that wait for their level."""
    height = heights.take(pixels)
    pixels = pixels.take(np.argsort(height, kind="stable"))
    counts = np.bincount(height)
    start = 0
    for level in counts.nonzero()[0].tolist():
        stop = start + counts[level]
        waiting[level].append(pixels[start:stop])
        start = stop


def _face_neighbours(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
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
