"""``unet-napari train``: images and labels in, a model file out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.cli.progress import ProgressLine, human_time
from unet_napari.cli.values import duration, integers, matching_files
from unet_napari.errors import OutputError
from unet_napari.inference.config import DEVICES

if TYPE_CHECKING:
    from unet_napari.training.events import TrainEvent
    from unet_napari.training.pairs import Pair

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]


def add_parser(commands: Subparsers) -> None:
    """Add this command to the parser."""
    from unet_napari.networks.catalogue import CATALOGUE

    parser = commands.add_parser("train", help="train a model on images and painted labels")
    add = parser.add_argument
    add("--images", required=True, type=Path, metavar="FILE|DIR")
    add("--labels", required=True, type=Path, metavar="FILE|DIR", help="with the same file names")
    add("--task", required=True, choices=("cells", "semantic"))
    add("--ndim", required=True, type=int, choices=(2, 3))
    add("--output", required=True, type=Path, metavar="FILE.unet")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--time", type=duration, dest="seconds", metavar="3min")
    budget.add_argument("--epochs", type=int, metavar="N")
    add("--unpainted", choices=("auto", "ignore", "background"), default="auto",
        help="what a 0 in the labels means")  # fmt: skip
    add("--axes", help="of the images, such as ZYX or CYX")
    add("--network", choices=tuple(CATALOGUE), default="unet")
    add("--patch", type=integers, metavar="auto|N,N", help="pixels along each axis")
    add("--batch", type=int, metavar="N")
    add("--learning-rate", type=float)
    add("--from", dest="start_from", metavar="NAME|FILE", help="start from this model's weights")
    add("--seed", type=int, default=0)
    add("--device", choices=DEVICES, default="auto")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    from unet_napari.model import Model
    from unet_napari.model_file import check_output
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.trainer import Trainer

    if arguments.output.exists() and not arguments.overwrite:
        raise OutputError(f"{arguments.output} exists; give --overwrite to replace it.")
    config = TrainConfig.from_dict(_settings(arguments))
    pairs = _pairs(arguments)
    start_from = Model.load(arguments.start_from) if arguments.start_from else None
    check_output(arguments.output, overwrite=arguments.overwrite)
    trainer = Trainer(pairs, config, start_from=start_from)
    line = ProgressLine("training")
    try:
        for event in trainer.run():
            _show(line, event)
    except KeyboardInterrupt:
        line.show("stopped; keeping the best model so far", last=True)
    trainer.best_model().save(arguments.output, overwrite=True)
    line.show(f"model written to {arguments.output}", last=True)


def _pairs(arguments: argparse.Namespace) -> list[Pair]:
    from unet_napari.images import read_image
    from unet_napari.inputs import pair_up

    pairs = []
    for image_path, label_path in matching_files(arguments.images, arguments.labels):
        image = read_image(image_path, axes=arguments.axes)
        pairs.append(pair_up(image, read_image(label_path).data))
    return pairs


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    names = (
        "task", "ndim", "seconds", "epochs", "unpainted", "network", "patch", "batch",
        "learning_rate", "seed", "device",
    )  # fmt: skip
    given = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def _show(line: ProgressLine, event: TrainEvent) -> None:
    from unet_napari.training.events import Finished, Started, Step, Validated

    match event:
        case Started():
            for text in event.chosen:
                line.show(text, last=True)
        case Step():
            left = "" if event.seconds_left is None else f" · {human_time(event.seconds_left)} left"
            line.show(f"step {event.step} · loss {event.loss:.3f}{left}")
        case Validated():
            line.show(event.describe(), last=True)
        case Finished():
            line.show(event.reason, last=True)
