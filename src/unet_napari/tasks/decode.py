"""From foreground and boundary maps to objects: seeds, watershed, clean-up. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decode_cells"]


def decode_cells(
    foreground: NDArray[np.floating],
    boundary: NDArray[np.floating],
    *,
    foreground_threshold: float,
    seed_threshold: float,
    min_size: int,
) -> NDArray[np.uint32]:
    """Separate cells by a watershed from the inside of each.

    Seeds are the connected parts of ``foreground * (1 - boundary) > seed_threshold``; they grow,
    lowest boundary first, as far as ``foreground > foreground_threshold``.

    Parameters
    ----------
    foreground, boundary
        Probabilities ``(*S)``, 2D or 3D.
    foreground_threshold, seed_threshold
        Between 0 and 1.
    min_size
        Smaller objects, in pixels, are left out.

    Returns
    -------
    uint32 (*S)
        Objects 1, 2, ..., each of one piece and without holes; 0 is background.
    """
    mask = foreground > foreground_threshold
    inside = foreground * (1 - boundary)
    seeds, count = ndimage.label((inside > seed_threshold) & mask)
    if count == 0:
        return np.zeros(mask.shape, np.uint32)
    labels = watershed(boundary, seeds, mask=mask)  # type: ignore[no-untyped-call]
    return _fill_holes(_drop_small(labels, min_size)).astype(np.uint32, copy=False)


def _drop_small(labels: NDArray[np.integer], min_size: int) -> NDArray[np.integer]:
    """Remove small objects and number the others 1, 2, ..."""
    keep = np.bincount(labels.ravel()) >= max(min_size, 1)
    keep[0] = False
    return np.asarray(np.where(keep, np.cumsum(keep), 0).astype(labels.dtype)[labels])


def _fill_holes(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Give background that one single object encloses to that object."""
    gaps, count = ndimage.label(labels == 0, ndimage.generate_binary_structure(labels.ndim, 1))
    lowest = np.full(count + 1, np.iinfo(np.int64).max)
    highest = np.zeros(count + 1, np.int64)
    for axis in range(labels.ndim):
        for gap, beside in _neighbours(gaps, labels, axis):
            np.minimum.at(lowest, gap, beside)
            np.maximum.at(highest, gap, beside)
        for edge in (gaps.take(0, axis), gaps.take(-1, axis)):
            highest[edge] = np.iinfo(np.int64).max  # open to what lies beyond the image
    owner = np.where(lowest == highest, highest, 0)
    owner[0] = 0
    return labels + owner.astype(labels.dtype)[gaps] if owner.any() else labels


def _neighbours(
    gaps: NDArray[np.integer], labels: NDArray[np.integer], axis: int
) -> list[tuple[NDArray[np.integer], NDArray[np.integer]]]:
    """Pairs of a gap's number and the object beside it, along one axis."""
    gaps, labels = np.moveaxis(gaps, axis, 0), np.moveaxis(labels, axis, 0)
    pairs = []
    for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        touch = (gaps[here] > 0) & (labels[there] > 0)
        pairs.append((gaps[here][touch], labels[there][touch]))
    return pairs
