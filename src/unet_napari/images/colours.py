"""Colour pictures for models of fewer channels: grays saved as RGB, and RGB with transparency."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import warn_user
from unet_napari.images.pixel_sample import sample_blocks

if TYPE_CHECKING:
    from unet_napari.images import Image, LazyArray

__all__ = ["fit_colours", "has_all_colours"]

_RGB, _RGBA = 3, 4


def fit_colours(image: Image, channels: int) -> Image:
    """Return the channels of a colour picture that a model of fewer channels can use.

    For a model of three channels, these are the colours of RGB with transparency. For a model of
    one channel, it is one of three equal colours, as grays have that were saved as RGB.

    Parameters
    ----------
    image
        A picture whose channels are its last axis. Any other image is returned as it is.
    channels
        Number of channels that the model takes.

    Warns
    -----
    UnetNapariWarning
        If channels are left out.
    """
    coloured = image.axes.endswith("C") and image.channels in (_RGB, _RGBA)
    if not coloured or image.channels == channels or channels not in (1, _RGB):
        return image
    sample = sample_blocks(image)
    opaque = image.channels == _RGB or all(_constant(block[_RGB]) for block in sample)
    if channels == _RGB:
        if not opaque:
            _warn_of_loss(image, "its transparency is left out")
        return replace(image, data=_Colours(image.data))
    if opaque and all(np.array_equal(block[0], block[i]) for block in sample for i in (1, 2)):
        _warn_of_loss(image, "its three colours are equal, so that it is taken for gray")
        return image.select(C=0)
    return image


def has_all_colours(image: Image, channels: int) -> bool:
    """Tell, without reading a pixel, whether `fit_colours` leaves an image of so many channels.

    That is so for an image of them, and for one of RGB with transparency if they are three.
    """
    coloured = image.axes.endswith("C") and image.channels == _RGBA
    return image.channels == channels or (coloured and channels == _RGB)


def _constant(values: np.ndarray[Any, Any]) -> bool:
    return bool(values.min() == values.max())


def _warn_of_loss(image: Image, what: str) -> None:
    warn_user(f"{image.name}: {what}.", stacklevel=4)


class _Colours:
    """The first three channels of an array whose last axis is the channels; nothing is copied."""

    def __init__(self, data: LazyArray) -> None:
        self._data = data
        self.shape = (*data.shape[:-1], _RGB)
        self.dtype = data.dtype

    def __getitem__(self, key: Any, /) -> Any:  # noqa: ANN401  as `LazyArray` has it
        """Read a part; an index or slice of the channels is one of the colours."""
        if not isinstance(key, tuple) or len(key) < len(self.shape) or Ellipsis in key:
            return np.asarray(self._data[key])[..., :_RGB]
        *places, colour = key
        if isinstance(colour, slice):
            colour = slice(*colour.indices(_RGB))
        return self._data[(*places, colour)]
