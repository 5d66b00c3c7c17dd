"""What the docks, the command line and Python have in common where nothing is said.

It may import `options`; no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

from unet_napari.options import Option

__all__ = ["DEVICE", "LONG_RUN", "TRAINING_SECONDS", "Device", "unfamiliar_pixels"]

Device: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]

DEVICE = Option(
    help="Device that computes. Automatic takes the first there is of cuda, mps and cpu; a device "
    "that is not there, or computes something else than the CPU, is replaced by the CPU with a "
    "warning.",
    group="Computing",
    tooltip="What computes. Automatic: a GPU if there is one.",
    texts=(
        *(("auto", "automatic"), ("cpu", "CPU")),
        *(("cuda", "NVIDIA GPU"), ("mps", "Apple GPU")),
    ),
)
"""The option of a training and of an inference."""

TRAINING_SECONDS = 120.0
"""How long a training takes if nobody says otherwise; the dock's *quick*."""

LONG_RUN = 600.0
"""Seconds above which a run says before it starts how long it will take."""

_UNFAMILIAR_FACTOR = 1.25  # pixels so many times larger or smaller than the model's are told of


def unfamiliar_pixels(
    image: Mapping[str, float], model: Mapping[str, float], axes: str
) -> float | None:
    """Return how many times larger the pixels of an image are than those a model knows.

    Parameters
    ----------
    image, model
        Pixel sizes in micrometres by axis letter, where they are known.
    axes
        Spatial axes of the network.

    Returns
    -------
    float or None
        The factor of the axis along which they differ most; None if that is too little to matter.
    """
    factors = [image[axis] / model[axis] for axis in axes if axis in image and axis in model]
    furthest = max(factors, key=lambda factor: abs(math.log(factor)), default=1.0)
    return furthest if abs(math.log(furthest)) > math.log(_UNFAMILIAR_FACTOR) else None
