"""Test-time augmentation: the flips and quarter turns of an image that a result is averaged over.

The maps of a network that has learned from cells in every direction should turn with the image.
They do so only nearly, and their mean is a little more accurate than any one of them (Moshkov et
al. 2020, https://doi.org/10.1038/s41598-020-61808-3).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.model.model import Model

__all__ = ["PLAIN", "Orientation", "may_turn", "variants_of"]


@dataclass(frozen=True)
class Orientation:
    """One way to look at an image.

    Attributes
    ----------
    turned : bool
        The last two axes are exchanged; with flips this makes the quarter turns.
    flipped : tuple of int
        Axes that run backwards then, counted from the last one: -1 is X.
    """

    turned: bool = False
    flipped: tuple[int, ...] = ()

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array (..., *S) seen this way, without a copy."""
        return np.flip(array.swapaxes(-1, -2) if self.turned else array, self.flipped)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape that something of this shape has then."""
        return (*shape[:-2], shape[-1], shape[-2]) if self.turned else shape


PLAIN = Orientation()
"""The image as it is."""


def variants_of(model: Model) -> tuple[Orientation, ...]:
    """Return all that a model can be shown: 8 in 2D and 16 in 3D, half of them if it may not turn.

    Z is flipped and never exchanged with another axis.
    """
    axes = range(-model.ndim, 0)
    return tuple(
        Orientation(turned, tuple(axis for axis, flip in zip(axes, flips, strict=True) if flip))
        for turned in ((False, True) if may_turn(model) else (False,))
        for flips in product((False, True), repeat=model.ndim)
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
