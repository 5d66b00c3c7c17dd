"""What the docks, the command line and Python have in common where nothing is said.

It may import nothing of ours; no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["LONG_RUN", "TRAINING_SECONDS", "unfamiliar_pixels"]

TRAINING_SECONDS = 120.0
"""How long a training takes if nobody says otherwise; the dock's *quick*."""

LONG_RUN = 600.0
"""Seconds above which a run says before it starts how long it will take."""

_UNFAMILIAR = 1.25  # pixels so many times larger or smaller than the model's are told of


def unfamiliar_pixels(
    image: Mapping[str, float], model: Mapping[str, float], axes: str
) -> float | None:
    """Return how many times larger the pixels of an image are than those a model knows.

    Parameters
    ----------
    image, model
        Pixel size in micrometres by axis letter, where it is known.
    axes
        Spatial axes of the network.

    Returns
    -------
    float or None
        Of the axis along which they differ most; None if that is too little to matter.
    """
    factors = [image[axis] / model[axis] for axis in axes if axis in image and axis in model]
    furthest = max(factors, key=lambda factor: abs(math.log(factor)), default=1.0)
    return furthest if abs(math.log(furthest)) > math.log(_UNFAMILIAR) else None
