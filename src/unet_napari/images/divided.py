"""An image with whoever works on its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from unet_napari.system.each import each_here

if TYPE_CHECKING:
    from unet_napari.images.image import Image
    from unet_napari.system.each import Each

__all__ = ["Divided"]


class Divided(NamedTuple):
    """An image whose parts are worked on by this process or by others.

    Attributes
    ----------
    image : Image
        The image, whose array can be pickled where others work on it.
    each : Each
        Who works on its parts.
    """

    image: Image
    each: Each = each_here
