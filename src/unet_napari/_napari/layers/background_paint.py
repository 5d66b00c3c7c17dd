"""Paint that means background: a number of a labels layer that is reserved for it."""

import numpy as np

from napari.layers import Labels
from unet_napari._napari.layers.layer_axes import array_of

__all__ = ["background_number", "reserve_background"]

_KEY = "unet-napari background"  # in a layer's metadata
_NUMBER = 65535


def background_number(layer: Labels) -> int | None:
    """Return the number that means background in a layer; None where none is reserved."""
    number = layer.metadata.get(_KEY)
    return None if number is None else int(number)


def reserve_background(layer: Labels) -> int:
    """Return the number that means background in a layer, reserved from now on."""
    number = background_number(layer)
    if number is None:
        number = min(_NUMBER, int(np.iinfo(array_of(layer).dtype).max))
        layer.metadata = {**layer.metadata, _KEY: number}
    return number
