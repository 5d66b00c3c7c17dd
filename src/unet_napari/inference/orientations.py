"""Test-time augmentation: the flips and quarter turns of an image that a result is averaged over.

The maps of a network that has learned from cells in every direction should turn with the image.
They do so only nearly, and their mean is a little more accurate than any one of them (Moshkov et
al. 2020, https://doi.org/10.1038/s41598-020-61808-3).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from unet_napari.orientation import Orientation

if TYPE_CHECKING:
    from unet_napari.model.model import Model

__all__ = ["may_turn", "variants_of"]


def variants_of(model: Model) -> tuple[Orientation, ...]:
    """Return all that a model can be shown: 8 in 2D and 16 in 3D, half of them if it may not turn.

    Z is flipped and never exchanged with another axis.
    """
    axes = tuple(range(model.ndim))
    turned = (*axes[:-2], axes[-1], axes[-2])
    return tuple(
        Orientation(order, signs)
        for order in ((axes, turned) if may_turn(model) else (axes,))
        for signs in product((1, -1), repeat=model.ndim)
    )


def may_turn(model: Model) -> bool:
    """Tell whether Y and X are alike to a model: of one pixel size, and all windows square."""
    sizes = model.pixel_size
    windows = (
        getattr(module, name, None)
        for module in model.network.modules()
        for name in ("kernel_size", "stride", "dilation")
    )
    square = (not isinstance(w, tuple) or w[-1] == w[-2] for w in windows)
    return sizes.get("Y") == sizes.get("X") and all(square)
