"""``unet-napari info``: what a model is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]


def add_parser(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "info", help="task, channels, pixel size, halo, validation score, provenance of a model"
    )
    parser.add_argument("model", help="name of a model, or its file")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    from unet_napari.model_info import find_model, read_info

    path = find_model(arguments.model)
    print(read_info(path).describe())
