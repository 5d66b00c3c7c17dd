"""How images are read and a model is run over them: options that several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from unet_napari.cli.option_arguments import add_options, given_options, naming_flags
from unet_napari.cli.values import pixel_sizes
from unet_napari.errors import SettingsError
from unet_napari.inference.config import InferenceConfig
from unet_napari.options import HostConfig, ReadingConfig

if TYPE_CHECKING:
    from pathlib import Path

    from unet_napari.engine.remote.host import RemoteHost
    from unet_napari.images import Image
    from unet_napari.inference.regions.region import ImageRegion

__all__ = [
    "add_inference_options",
    "add_reading_options",
    "add_scale",
    "config_for",
    "host_for",
    "read_as_asked",
    "reading_for",
    "region_for",
]


def add_inference_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of a command."""
    add_reading_options(parser)
    add_options(parser, InferenceConfig)


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how images are read to the parser of a command."""
    add_options(parser, ReadingConfig)
    add_scale(parser)


def add_scale(parser: argparse.ArgumentParser) -> None:
    """Add the option of the pixel size to the parser of a command."""
    parser.add_argument(
        "--scale",
        type=pixel_sizes,
        metavar="SIZES",
        help="size of a pixel in micrometres, in place of what the file says: 0.25 along Y and X, "
        "2,0.25,0.25 along Z, Y and X, or Z=2,Y=0.25,X=0.25",
    )


def reading_for(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the options say of how images are read, as keywords of `read_image`."""
    with naming_flags(ReadingConfig):
        wanted = ReadingConfig.from_dict(given_options(arguments, ReadingConfig)).to_dict()
    said = {name: value for name, value in wanted.items() if value is not None}
    return said if arguments.scale is None else {**said, "pixel_size": arguments.scale}


def config_for(arguments: argparse.Namespace) -> InferenceConfig:
    """Return the settings of an inference that the options say."""
    with naming_flags(InferenceConfig):
        return InferenceConfig.from_dict(given_options(arguments, InferenceConfig))


def host_for(arguments: argparse.Namespace) -> RemoteHost | None:
    """Return the computer that the options name; None for this one."""
    from unet_napari.engine.remote.host import RemoteHost

    with naming_flags(HostConfig):
        config = HostConfig.from_dict(given_options(arguments, HostConfig))
    return RemoteHost.from_config(config)


def region_for(arguments: argparse.Namespace) -> ImageRegion | None:
    """Return the region that ``--region`` says; None for whole images.

    Raises
    ------
    SettingsError
        If it says none, or something else that is asked for takes whole images.
    """
    from unet_napari.inference.regions.region import ImageRegion

    if arguments.region is None:
        return None
    for flag in ("attention", "scheduler", "workers"):
        value = getattr(arguments, flag)
        if value is not None:
            raise SettingsError(f"--region and --{flag} do not go together: leave one of them out.")
    return ImageRegion.of(arguments.region)


def read_as_asked(path: Path, arguments: argparse.Namespace) -> Image:
    """Open an image with the axes, the channel, the scene and the pixel size of the options."""
    from unet_napari.images import read_image

    return read_image(path, **reading_for(arguments))
