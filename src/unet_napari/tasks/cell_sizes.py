"""How large annotated cells are, and which part of them is enough to tune decoding. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.tasks.kinds.kind import Labelled

__all__ = ["affordable_parts", "annotated_sizes", "speck_size", "whole_sizes"]

_TELLING_CELLS = 10  # so many painted cells tell how small cells get


def annotated_sizes(labels: NDArray[Any], annotated: NDArray[Any]) -> NDArray[np.int64]:
    """Return the number of annotated pixels of each cell, shape (n,)."""
    ids = labels[np.asarray(annotated, bool)]
    return np.unique(ids[ids > 0], return_counts=True)[1]


def whole_sizes(part: Labelled) -> NDArray[np.integer]:
    """Return the pixels of each cell that lies within a part and is annotated as a whole."""
    labels = part.labels
    ids, counts = np.unique(labels, return_counts=True)
    seen, known = np.unique(labels[part.annotated], return_counts=True)
    whole = seen[known == counts[np.searchsorted(ids, seen)]]
    faces = [labels.take(end, axis) for axis in range(labels.ndim) for end in (0, -1)]
    cut = np.unique(np.concatenate([face.ravel() for face in faces]))
    kept = whole[(whole > 0) & ~np.isin(whole, cut)]
    return np.asarray(counts[np.searchsorted(ids, kept)])


def speck_size(sizes: NDArray[np.integer]) -> int:
    """Return the size below which an object is hardly a cell, from those of painted cells.

    That is half the smallest, or three quarters of it where that is still less than a quarter of
    the median: the more cells vary, the nearer specks of dirt come to the smallest one. Of n cells
    drawn at random, a share of 1 / (n + 1) of all others is smaller than the smallest, so that with
    fewer than ten painted cells the size is a part of that, in proportion to their number.
    """
    smallest, usual = int(sizes.min()), float(np.median(sizes))
    speck = max(smallest // 2, int(min(0.75 * smallest, usual / 4)))
    return int(speck * min(1, len(sizes) / _TELLING_CELLS))


def affordable_parts(shapes: Sequence[tuple[int, ...]], pixels: int) -> list[tuple[slice, ...]]:
    """Choose the first images that have at most so many pixels, or the middle part of the first.

    Returns
    -------
    list of tuple of slice
        One index for each of the images that are chosen.
    """
    parts: list[tuple[slice, ...]] = []
    left = pixels
    for shape in shapes:
        if math.prod(shape) > left:
            break
        left -= math.prod(shape)
        parts.append((slice(None),) * len(shape))
    if parts or not shapes:
        return parts
    share = (pixels / math.prod(shapes[0])) ** (1 / len(shapes[0]))
    margins = [round(size * (1 - share) / 2) for size in shapes[0]]
    return [tuple(slice(m, s - m) for m, s in zip(margins, shapes[0], strict=True))]
