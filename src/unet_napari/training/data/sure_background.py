"""Background that nobody painted and nobody doubts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["evident_background"]

_SMOOTHING = 2.0  # width of the smoothing, in pixels of the finest axis: noise must not decide
_EDGE_SCALE = 1.0  # width over which brightness rises and falls, in pixels of the finest axis
_BACKGROUND_SHARE = 0.25  # largest share of the background next to cells below the limit
_CELLS_SHARE = 0.01  # largest share of the pixels of painted cells below the limit
_TELLING_SHARE = 0.05  # share of the background next to cells that must lie below the limit


def evident_background(
    image: NDArray[np.float32],
    labels: NDArray[np.integer],
    annotated: NDArray[np.bool_],
    spacing: Sequence[float],
) -> NDArray[np.bool_]:
    """Mark unpainted pixels that look like the surest background next to painted cells.

    With sparse painting, only the surroundings of painted cells are known to be background. A
    network that never sees other background invents cells there. Three measures of the smoothed
    image are compared: how dark it is, how bright it is, and how flat it is (the magnitude of its
    gradient, as in phase contrast, where cells are neither dark nor bright but full of edges).
    The limit of a measure is the lower one of two: a quarter of the background next to cells
    lies below it, or a hundredth of the painted cells' pixels. The measure that has the most of
    that background below its limit decides, and what lies below it everywhere is marked. Where
    no measure tells cells from their surroundings, nothing is marked.

    Parameters
    ----------
    image
        The image, shape (C, *S); the channel that tells the most decides.
    labels
        Ids of the cells, shape (*S).
    annotated
        True in painted cells and in the background next to them, shape (*S).
    spacing
        Relative pixel size per axis.

    Returns
    -------
    ndarray of bool, shape (*S)
    """
    cells, beside = annotated & (labels > 0), annotated & (labels == 0)
    found = np.zeros(labels.shape, bool)
    if not (cells.any() and beside.any()):
        return found
    most = _TELLING_SHARE
    for channel in image:
        for measure in _measures(channel, spacing):
            near = measure[beside]
            limit = min(
                np.quantile(near, _BACKGROUND_SHARE), np.quantile(measure[cells], _CELLS_SHARE)
            )
            share = float((near <= limit).mean())
            if share > most:
                most, found = share, measure <= limit
    return np.asarray(found & (labels == 0))


def _measures(
    channel: NDArray[np.float32], spacing: Sequence[float]
) -> Iterator[NDArray[np.floating]]:
    """Yield measures that are low where the background is dark, bright, or flat."""
    from scipy import ndimage  # takes half a second; the Train dock loads this module

    sigma = [_SMOOTHING / step for step in spacing]
    smooth = ndimage.gaussian_filter(channel, sigma)
    yield smooth
    yield -smooth
    edges = ndimage.gaussian_gradient_magnitude(channel, [_EDGE_SCALE / step for step in spacing])
    yield ndimage.gaussian_filter(edges, sigma)
