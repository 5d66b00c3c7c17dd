"""One channel of an image alone, for models that take fewer channels than the image has."""

import re

from magicgui.widgets import LineEdit

from unet_napari._napari.layers.results import Purpose
from unet_napari._napari.widgets.fields import value_of
from unet_napari.errors import SettingsError
from unet_napari.images import Image

__all__ = ["ChannelField", "one_channel"]


class ChannelField:
    """The field for the channel that is used alone.

    Parameters
    ----------
    field : magicgui.widgets.LineEdit
        The field; it is empty for all channels.
    """

    def __init__(self, field: LineEdit) -> None:
        self.field = field
        self.field.native.setPlaceholderText("all")

    def of(self, image: Image) -> Image:
        """Return an image, or the channel of it that is wanted; nothing is read.

        Raises
        ------
        SettingsError
            If the image has no such channel.
        """
        return one_channel(image, str(self.field.value))

    def results(self, purpose: Purpose) -> Purpose:
        """Return what tells the results of this channel from those of the others."""
        channel = value_of(self.field, int)
        if channel is None:
            return purpose
        about = f"channel {channel}"
        return Purpose(f"{purpose.name} · {about}", f"{about} of {purpose.key}")


def one_channel(image: Image, text: str) -> Image:
    """Return an image, or the channel of it that a text names; nothing is read.

    Raises
    ------
    SettingsError
        If the text is no number, or the image has no such channel.
    """
    number = text.strip()
    if not number:
        return image
    if not re.fullmatch(r"-?\d+", number):
        raise SettingsError(f"Channel (under Data) must be a whole number, not '{number}'.")
    if not 0 <= int(number) < image.channels:
        there = "1 channel" if image.channels == 1 else f"{image.channels} channels"
        raise SettingsError(
            f"Channel (under Data) is {number}, but '{image.name}' has {there}, counted from 0. "
            "Leave it empty for all channels."
        )
    return image.select(C=int(number))
