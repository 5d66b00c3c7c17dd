"""How a model is run over images: options that several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from unet_napari.cli.values import diameter, integers, memory
from unet_napari.inference.config import BACKENDS, DEVICES, PRECISIONS

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.model.model import Model

__all__ = ["add_inference_options", "config_for"]

_SETTINGS = (
    *("backend", "precision", "tile", "halo", "memory", "device", "rescale"),
    *("diameter", "tta", "slicewise"),
)


def add_inference_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of a command."""
    parser.add_argument(
        "--axes",
        help="of the images, such as ZYX or TCZYX; naming Z lets a 2D model loop over it",
    )
    parser.add_argument(
        "--channel", type=int, metavar="N", help="use this channel alone, counted from 0"
    )
    group = parser.add_argument_group("how the model is run", "the defaults suit nearly everybody")
    add = group.add_argument
    add("--backend", choices=BACKENDS, default="auto")
    add("--precision", choices=PRECISIONS, default="auto")
    add("--tile", type=integers, metavar="auto|N,N,N", help="pixels along each axis")
    add("--halo", type=_halo, metavar="measured|exact|N", help="context read around each tile")
    add("--memory", type=memory, metavar="2GiB",
        help="budget of the computation, beyond the model itself")  # fmt: skip
    add("--device", choices=DEVICES, default="auto")
    add("--slicewise", action="store_const", const=True,
        help="a 2D model goes through a stack slice by slice, also if --axes has a Z")  # fmt: skip
    add("--tta", action="store_true",
        help="average over flips and turns: a little better, 8 to 16 times slower")  # fmt: skip
    scale = group.add_mutually_exclusive_group()
    scale.add_argument(
        "--rescale", action="store_true", help="resample to the pixel size the model was trained on"
    )
    scale.add_argument(
        "--diameter",
        type=diameter,
        metavar="auto|N",
        help="resample so that objects of N pixels get the size the model knows",
    )


def config_for(model: Model, arguments: argparse.Namespace) -> InferenceConfig:
    """Return the settings of an inference that the options say."""
    from unet_napari.inputs import inference_config

    given: dict[str, Any] = {name: getattr(arguments, name) for name in _SETTINGS}
    settings = {name: value for name, value in given.items() if value is not None}
    return inference_config(model, arguments.axes, settings)


def _halo(text: str) -> str | int:
    if text in ("measured", "exact"):
        return text
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not measured, exact or a number of pixels")
