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
        "info", help="score, task, channels, pixel size, halo, provenance and file of a model"
    )
    parser.add_argument("model", help="name of a model, or its file")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    from unet_napari.model_info import find_model, read_info, read_storage
    from unet_napari.training.config import TrainConfig

    path = find_model(arguments.model)
    print(read_info(path).describe(usual=TrainConfig().to_dict()))
    print(f"  {'File:':<14}{read_storage(path).describe()}")
