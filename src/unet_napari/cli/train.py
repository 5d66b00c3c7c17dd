"""``unet-napari train``: images and labels in, a model file out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from unet_napari.cli.progress import ProgressLine
from unet_napari.cli.values import duration, integers, matching_files, setting
from unet_napari.errors import OutputError
from unet_napari.training.config import (
    DeviceName,
    OptimiserName,
    ScheduleName,
    TrainConfig,
    UnpaintedRule,
)
from unet_napari.words import human_time

if TYPE_CHECKING:
    from unet_napari.training.events import TrainEvent
    from unet_napari.training.pairs import Pair
    from unet_napari.training.trainer import Trainer

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]


def add_parser(commands: Subparsers) -> None:
    """Add this command to the parser."""
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
    budget.add_argument("--steps", type=int, metavar="N")
    add(
        "--unpainted",
        choices=get_args(UnpaintedRule),
        default="auto",
        help="what a 0 in the labels means",
    )
    add("--axes", help="of the images, such as ZYX or CYX")
    add("--from", dest="start_from", metavar="NAME|FILE", help="start from this model's weights")
    add("--seed", type=int, default=0)
    add("--device", choices=get_args(DeviceName), default="auto")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    add("--note", type=setting, action="append", default=[], metavar="KEY=VALUE",
        help="kept in the model and shown by info, such as licence='CC BY 4.0'")  # fmt: skip
    add("--show-augmentation", type=Path, metavar="PICTURE.png",
        help="write a sheet of augmented patches and stop")  # fmt: skip
    _add_choices(parser.add_argument_group("network and optimisation", "chosen if not given"))
    parser.set_defaults(command=_run)


def _add_choices(group: argparse._ArgumentGroup) -> None:
    from unet_napari.networks.catalogue import CATALOGUE

    add = group.add_argument
    add("--network", choices=tuple(CATALOGUE), default="unet")
    add("--network-option", type=setting, action="append", default=[], metavar="KEY=VALUE",
        help="such as features=small, norm=group, residual=true (docs/networks.md)")  # fmt: skip
    add("--loss", help="bce, ce, dice, focal, bce+dice or ce+dice (docs/losses.md)")
    add("--optimiser", choices=get_args(OptimiserName))
    add("--learning-rate", type=float)
    add("--weight-decay", type=float)
    add("--schedule", choices=get_args(ScheduleName))
    add("--patience", type=int, metavar="N", help="stop after N validations without a better score")
    add("--ema", type=float, metavar="0.99", help="average the weights over so many steps")
    add("--validation", type=float, metavar="SHARE", help="of what is painted, held out")
    add("--patch", type=integers, metavar="auto|N,N", help="pixels along each axis")
    add("--batch", type=int, metavar="N", help="patches per step")
    add("--augment", type=setting, action="append", default=[], metavar="KEY=VALUE",
        help="such as rotation=30, elastic=0 (docs/training.md)")  # fmt: skip


def _run(arguments: argparse.Namespace) -> None:
    from unet_napari.atomic import check_output
    from unet_napari.model import Model
    from unet_napari.training.events import Validated
    from unet_napari.training.trainer import Trainer

    config = TrainConfig.from_dict(_settings(arguments))
    if arguments.show_augmentation:
        _show_augmentation(arguments.show_augmentation, _pairs(arguments), config)
        return
    if arguments.output.exists() and not arguments.overwrite:
        raise OutputError(f"{arguments.output} exists; give --overwrite to replace it.")
    pairs = _pairs(arguments)
    start_from = Model.load(arguments.start_from) if arguments.start_from else None
    check_output(arguments.output, overwrite=arguments.overwrite)
    trainer = Trainer(pairs, config, start_from=start_from)
    line = ProgressLine("training")
    try:
        for event in trainer.run():
            _show(line, event)
            if isinstance(event, Validated) and event.best:
                _save(trainer, arguments)  # what survives if the machine does not
    except KeyboardInterrupt:
        line.show("stopped; keeping the best model so far", last=True)
    _save(trainer, arguments)
    line.show(f"model written to {arguments.output}", last=True)


def _save(trainer: Trainer, arguments: argparse.Namespace) -> None:
    model = trainer.best_model()
    model.name = arguments.output.stem
    model.provenance |= dict(arguments.note)
    model.save(arguments.output, overwrite=True)


def _show_augmentation(path: Path, pairs: list[Pair], config: TrainConfig) -> None:
    from unet_napari.images.picture import write_png
    from unet_napari.training.picture import augmented_examples

    write_png(path, augmented_examples(pairs, config))
    print(f"augmented patches written to {path}", file=sys.stderr)


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
        "task", "ndim", "seconds", "epochs", "steps", "unpainted", "network", "patch", "batch",
        "optimiser", "learning_rate", "weight_decay", "schedule", "patience", "ema", "validation",
        "seed", "device",
    )  # fmt: skip
    given = {name: getattr(arguments, name) for name in names}
    given["network_options"] = dict(arguments.network_option)
    given["task_options"] = {"criterion": arguments.loss} if arguments.loss else {}
    given["augment"] = dict(arguments.augment)
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
