"""Background that nobody painted and nobody doubts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["evident_background"]

_SMOOTHING = 2.0  # pixels of the finest axis: noise must not decide
_DARK = 0.25  # share of the background next to cells that counts as dark
_TELLING = 0.98  # share of cell pixels that must be brighter than that


def evident_background(
    image: NDArray[np.float32],
    labels: NDArray[np.integer],
    annotated: NDArray[np.bool_],
    spacing: Sequence[float],
) -> NDArray[np.bool_]:
    """Mark unpainted pixels as dark as the darkest background next to painted cells.

    With sparse painting, only the surroundings of painted cells are known to be background. A
    network that never sees any other invents cells there. Where brightness alone tells cells
    from their surroundings, as in fluorescence, what is as dark as the darkest quarter of these
    surroundings cannot be a forgotten cell. Where cells are darker than their surroundings, the
    same holds the other way round; where brightness tells little, nothing is marked.

    Parameters
    ----------
    image
        Shape (C, *S); the channel that tells the most decides.
    labels
        Shape (*S); cells.
    annotated
        Shape (*S); painted cells and the background next to them.
    spacing
        Relative pixel size per axis.

    Returns
    -------
    ndarray of bool, shape (*S)
    """
    from scipy import ndimage  # takes half a second; the Train dock loads this module

    cells, beside = annotated & (labels > 0), annotated & (labels == 0)
    nothing = np.zeros(labels.shape, bool)
    if not (cells.any() and beside.any()):
        return nothing
    sigma = [_SMOOTHING / step for step in spacing]
    best, found = _TELLING, nothing
    for channel in image:
        smooth = ndimage.gaussian_filter(channel, sigma)
        for brightness in (smooth, -smooth):
            limit = np.quantile(brightness[beside], _DARK)
            telling = float((brightness[cells] > limit).mean())
            if telling >= best:
                best, found = telling, brightness <= limit
    return np.asarray(found & (labels == 0))
