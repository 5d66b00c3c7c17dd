"""Seeded watershed of one block, and which of its pixels the rest of the image may change.

Measured against connected-components-3d and bioimage-cpp's watershed: the latter is three times as
fast, but within one level it goes on with the pixel found last, so on a plateau one seed takes all
and the result depends on the cut. scikit-image settles ties by the time of arrival. Given only
the rim of the seeds, and blocks that fit the caches, it is ten times as fast as on a whole map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.segmentation import watershed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["UNKNOWN", "flood"]

UNKNOWN = np.uint32(2**32 - 1)
"""Pixels that something beyond the block may reach before any seed of the block does."""


def flood(
    relief: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    seeds: NDArray[np.uint32],
    open_sides: Sequence[tuple[bool, bool]] = (),
) -> NDArray[np.uint32]:
    """Let seeds grow, lowest relief first, as far as the mask reaches.

    Ties are settled by the time of arrival (Meyer's flooding); seeds that touch the same pixel
    by their order in the array. Neither changes with a cut that is far enough away.

    Parameters
    ----------
    relief, mask, seeds
        ``(*S)``; `seeds` are ids, 0 for none.
    open_sides
        Per axis, whether the image goes on before and after the block. Then what could come in
        there takes part, at the earliest time possible. So every pixel that is not `UNKNOWN` in
        the end has the id that it has in the whole image.

    Returns
    -------
    uint32 (*S)
        Ids, 0 where none arrives, or `UNKNOWN`.
    """
    free = mask & (seeds == 0)
    doubtful = _on_sides(free, open_sides)
    rim = _beside(free) & (seeds > 0)
    # What floods first, in this order: nothing else does while its relief is below 0.
    sources = np.concatenate([np.flatnonzero(doubtful), np.flatnonzero(rim)])
    if not sources.size:
        return seeds
    heights = relief.astype(np.float64)
    heights.flat[sources] = np.arange(-sources.size, 0)
    markers = np.zeros(relief.shape, np.int32)
    markers.flat[sources] = np.arange(1, sources.size + 1)
    source = watershed(heights, markers, mask=free | rim)  # type: ignore[no-untyped-call]
    ids = np.zeros(sources.size + 1, np.uint32)
    ids[1:] = seeds.flat[sources]
    ids[1 : 1 + np.count_nonzero(doubtful)] = UNKNOWN
    return np.where(seeds > 0, seeds, ids[source])


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
