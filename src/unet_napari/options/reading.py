"""Which part of an image is read, and how it is understood, each setting with its option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from unet_napari.checks import Range
from unet_napari.options.config import Config
from unet_napari.options.option import Door, Option

__all__ = ["ReadingConfig"]


@dataclass(frozen=True)
class ReadingConfig(Config):
    """What is read of the images of a training or a segmentation; None leaves it to the file."""

    axes: Annotated[
        str | None,
        Option(
            help="Axes of the images, such as ZYX or TCZYX, where they are guessed wrong.",
            group="Data",
            tooltip="The axes of the image, such as ZYX or TYX, where they are guessed wrong:\n"
            "T time, C channel, Z depth, Y height, X width.",
        ),
    ] = None
    channel: Annotated[
        int | None,
        Option(
            help="Channel that is used alone, counted from 0.",
            group="Data",
            tooltip="Segment this channel alone, counted from 0 like the slider of the channels: "
            "for a\n"
            "model that takes one channel. Of a colour picture, 0 is red, 1 green and 2 blue.\n"
            "Empty: all channels.",
            range=Range(0),
        ),
    ] = None
    scene: Annotated[
        int | str | None,
        Option(
            help="Image of a CZI, LIF or ND2 file that is used: its number, counted from 0, or "
            "its name.",
            group="Data",
            doors=(Door.COMMAND_LINE,),
            range=Range(0),
        ),
    ] = None
