"""``unet-napari info``: what a model or a result is, what models there are, or what computer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.errors import SettingsError
from unet_napari.images.formats.names import is_image_name
from unet_napari.images.formats.read_zarr import is_zarr

if TYPE_CHECKING:
    from unet_napari.cli.values import Subparsers

__all__ = ["add_info_command"]

_LANGUAGES = ("command", "python")


def add_info_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "info", help="what a model or a result is; without: what models and networks there are"
    )
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL|RESULT",
        help="name of a model, its file, or labels that were segmented; without: a list",
    )
    parser.add_argument(
        "--methods",
        action="store_true",
        help="of a result: a paragraph for the methods of a paper, with what it cites",
    )
    parser.add_argument(
        "--again",
        choices=_LANGUAGES,
        help="of a model that was trained here: a command, or a program in Python, that trains it "
        "again on what it was trained on",
    )
    parser.add_argument(
        "--system",
        action="store_true",
        help="versions, device and memory of this computer, as a bug report needs them",
    )
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.system:
        from unet_napari.cli.system import describe_system

        print(describe_system())
    if arguments.model is None:
        if arguments.methods:
            raise SettingsError("--methods takes a result: info RESULT.tif --methods.")
        if arguments.again:
            raise SettingsError("--again takes a model: info MODEL --again command.")
        if not arguments.system:
            _list_models()
            _list_networks()
        return
    path = Path(arguments.model)
    if arguments.again and is_image_name(path.name):
        raise SettingsError("--again takes a model; for a result use: reproduce RESULT.")
    if arguments.methods or is_image_name(path.name) or is_zarr(path):
        print(_about_result(path, methods=arguments.methods))
        return
    from unet_napari.model.description import describe_model
    from unet_napari.model.info import find_model, read_info, read_storage
    from unet_napari.training.config import TrainConfig

    path = find_model(arguments.model)
    if arguments.again:
        from unet_napari.recipes.told import with_notes
        from unet_napari.recipes.trained import repeated_training
        from unet_napari.training.state.state_file import state_beside

        recipe = repeated_training(state_beside(path))
        print(with_notes(recipe, command=arguments.again == "command"), end="")
        return
    print(describe_model(read_info(path), usual=TrainConfig().to_dict()))
    print(f"  {'File:':<14}{read_storage(path).describe()}")


def _about_result(path: Path, *, methods: bool) -> str:
    from unet_napari.cli.commands.reproduce import needed_record
    from unet_napari.inference.results.methods import describe_methods, describe_record

    record = needed_record(path)
    return describe_methods(record) if methods else describe_record(record)


def _list_models() -> None:
    from unet_napari.model.info import list_models

    print("Models to segment with (segment --model NAME):")
    models = list_models()
    for model in models:
        if model.info is None:
            print(f"  {model.name:<16}damaged: {model.problem}")
        else:
            task = model.info.task["name"]
            print(f"  {model.name:<16}{task}, {model.info.ndim}D, {model.info.channels} channel(s)")
    if not models:
        print("  none yet")


def _list_networks() -> None:
    """Print every network with its number of weights in every size it has a name for."""
    from unet_napari.networks.catalogue import CATALOGUE

    print("\nNetworks to train (train --network NAME), with their number of weights:")
    for entry in CATALOGUE.values():
        print(f"  {entry.name:<16}{entry.title}. {entry.description}\n{'':<18}{entry.paper}")
        for ndim in entry.ndims:
            sizes = ", ".join(f"{count:,} ({size})" for size, count in _counts(entry.name, ndim))
            print(f"{'':<18}{ndim}D: {sizes}")


def _counts(name: str, ndim: int) -> list[tuple[str, int]]:
    """Return the sizes of a network that have a name, each with its number of weights."""
    import torch

    from unet_napari.networks import PRESETS, build_network
    from unet_napari.networks.resnet import DEPTHS

    option, values = ("features", PRESETS) if name != "resnet_unet" else ("depth", DEPTHS)
    base = {"in_channels": 1, "out_channels": 2, "ndim": ndim}
    counts = []
    for value in values:
        with torch.device("meta"):  # nothing is allocated
            network = build_network(name, base | {option: value})
        counts.append((f"{option}={value}", network.parameter_count))
    return counts
