"""``unet-napari train``: images and labels in, a model file out."""

from __future__ import annotations

import argparse
import math
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.cli.attempts import Attempts
from unet_napari.cli.inference_options import add_reading_options, host_for, read_as_asked
from unet_napari.cli.option_arguments import add_options, given_options, naming_flags
from unet_napari.cli.pairing import matching_masks, training_files
from unet_napari.cli.progress_bar import ProgressLine
from unet_napari.cli.values import setting
from unet_napari.collection.kept_facts import KeptFacts
from unet_napari.errors import OutputError, UnetNapariError
from unet_napari.options import HostConfig
from unet_napari.system.text import human_time
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.augment_config import AugmentConfig
from unet_napari.training.events import Finished, Resting, Started, Step, Validated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unet_napari.cli.values import Subparsers
    from unet_napari.engine.remote.host import RemoteHost
    from unet_napari.model.model import Model
    from unet_napari.training.data.pairs import Pair
    from unet_napari.training.events import TrainEvent

__all__ = ["add_train_command"]

_NO_MODEL = "Stopped before the first step was made, so that there is no model to write."


def add_train_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser("train", help="train a model on images and painted labels")
    add = parser.add_argument
    add("--images", required=True, type=Path, nargs="+", metavar="FILE|DIR")
    add("--labels", required=True, type=Path, nargs="+", metavar="FILE|DIR",
        help="with the file names of the images, also with _masks, _labels, ... behind them; "
             "may be the same folder; or several files in the order of the images")  # fmt: skip
    add("--annotated", type=Path, nargs="+", default=[], metavar="FILE|DIR|-",
        help="masks of where everything is painted, so that what is unpainted there is "
             "background: a folder with the file names of the images, or one file for each image, "
             "- for an image without")  # fmt: skip
    add("--output", required=True, type=Path, metavar="FILE.unet")
    add("--start-from", "--from", dest="start_from", default="auto",
        metavar="auto|nothing|NAME|FILE",
        help="start from this model's weights; auto: from those of the model that explains best "
             "what is painted, see docs/guide/training.md; nothing: from random ones")  # fmt: skip
    add("--overwrite", action="store_true", help="replace the output if it exists")
    add("--resume", type=Path, metavar="FILE.unet|FILE.state",
        help="go on with the training of this model where it was stopped, with what was painted "
             "since then; the output may be the same file")  # fmt: skip
    add("--note", type=setting, action="append", default=[], metavar="KEY=VALUE",
        help="kept in the model and shown by info, such as licence='CC BY 4.0'")  # fmt: skip
    add("--show-augmentation", type=Path, metavar="PICTURE.png",
        help="write a sheet of augmented patches and stop")  # fmt: skip
    add("--no-augmentation", action="store_true", help="patches exactly as they are in the image")
    add_reading_options(parser)
    add_options(parser, TrainConfig, required=("task", "ndim"))
    add_options(parser, HostConfig)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from unet_napari.model.names import STATE_SUFFIX
    from unet_napari.model.schema import check_name, encode_info
    from unet_napari.model.versions import keep_version
    from unet_napari.system.atomic import check_output
    from unet_napari.training.keep import Keeper
    from unet_napari.training.state.drive import make_trainer
    from unet_napari.training.state.kept_state import KeptState
    from unet_napari.training.state.state_file import state_beside

    config = _config(arguments)
    if arguments.show_augmentation:
        pairs, attempts = _pairs(arguments)
        _show_augmentation(arguments.show_augmentation, pairs, config)
        return attempts.report()
    resume = arguments.resume
    if resume is not None and resume.suffix != STATE_SUFFIX:
        resume = state_beside(resume)
    state = state_beside(arguments.output)
    if arguments.output.exists() and not (arguments.overwrite or resume == state):
        raise OutputError(f"{arguments.output} exists; give --overwrite to replace it.")
    pairs, attempts = _pairs(arguments)
    check_output(arguments.output, overwrite=True)
    check_name(arguments.output.stem)
    settings = config.to_dict() if resume is None else given_options(arguments, TrainConfig)
    host = host_for(arguments)
    if host is not None:
        _train_on(host, pairs, settings, resume, arguments)
        return attempts.report()
    trainer = make_trainer(pairs, settings, arguments.start_from, resume)
    encode_info(_finished(trainer.model, arguments).info)  # the notes, too, can be saved
    keeper = Keeper(trainer, lambda model: _save(model, arguments))
    kept = KeptState(trainer, state, arguments.output.stem, arguments.output)
    keep_version(arguments.output)
    line = ProgressLine("training")
    try:
        for event in trainer.run():
            keeper.update(event)
            kept.update(event)
            _show(line, event)
            if isinstance(event, Resting):
                _wait_for_ctrl_c()  # nobody can paint into this training
    except KeyboardInterrupt:
        if trainer.steps == 0:
            raise UnetNapariError(_NO_MODEL) from None
        line.show("stopped; keeping the best model so far", last=True)
        keeper.stop()
        kept.stop()
    except UnetNapariError as error:
        if keeper.saved_step is None:
            raise
        where = f"The model of step {keeper.saved_step} is kept in {arguments.output}."
        raise type(error)(f"{error} {where}") from error
    line.show(f"model of step {trainer.best_step} written to {arguments.output}", last=True)
    return attempts.report()


def _train_on(
    host: RemoteHost,
    pairs: list[Pair],
    settings: Mapping[str, Any],
    resume: Path | None,
    arguments: argparse.Namespace,
) -> None:
    """Train on another computer; the model and its state come back here."""
    from unet_napari.engine.remote.runs import train_on
    from unet_napari.model.model import Model
    from unet_napari.training.state.state_file import state_beside

    line = ProgressLine(f"training on {host.address}")
    events = train_on(
        host,
        pairs,
        settings,
        arguments.output,
        start_from=arguments.start_from,
        state=state_beside(arguments.output),
        resume=resume,
    )
    try:
        while True:
            _show(line, next(events))
    except StopIteration as end:
        result = end.value
    except KeyboardInterrupt:
        raise UnetNapariError(_NO_MODEL) from None
    if arguments.note:
        _save(Model.load(arguments.output), arguments)
    line.show(f"model of step {result['step']} written to {arguments.output}", last=True)


def _wait_for_ctrl_c() -> None:
    threading.Event().wait()


def _finished(model: Model, arguments: argparse.Namespace) -> Model:
    """Give a model what the command says about it."""
    model.name = arguments.output.stem
    model.provenance["notes"] = dict(arguments.note)
    return model


def _save(model: Model, arguments: argparse.Namespace) -> None:
    _finished(model, arguments).save(arguments.output, overwrite=True)


def _show_augmentation(path: Path, pairs: list[Pair], config: TrainConfig) -> None:
    from unet_napari.images.thumbnail import write_png
    from unet_napari.training.data.patch_sheet import augmented_examples

    write_png(path, augmented_examples(pairs, config))
    print(f"augmented patches written to {path}", file=sys.stderr)


def _pairs(arguments: argparse.Namespace) -> tuple[list[Pair], Attempts]:
    """Open what can be trained on; what cannot is listed now, and once more in the end."""
    from unet_napari.inputs import pair_up

    files = training_files(arguments.images, arguments.labels)
    masks = matching_masks([image for image, _ in files], arguments.annotated)
    attempts = Attempts(len(files))
    pairs: list[Pair] = []
    facts: dict[Path, KeptFacts] = {}
    for (image_path, label_path), mask in zip(files, masks, strict=True):
        with attempts.trying(str(image_path)):
            image = read_as_asked(image_path, arguments)
            pair = pair_up(image, label_path, annotated=mask)
            if arguments.background_id is None and task_kind(arguments.task).separates_objects:
                # The docks keep it beside the labels that they save.
                folder = label_path.parent
                kept = facts.setdefault(folder, KeptFacts(folder))
                pair = pair.with_background(kept.background_of(label_path.name))
            pairs.append(pair)
    attempts.announce()
    return pairs, attempts


def _config(arguments: argparse.Namespace) -> TrainConfig:
    """Return the settings of the training that the options say."""
    given = given_options(arguments, TrainConfig)
    start = AugmentConfig.none() if arguments.no_augmentation else AugmentConfig()
    given["augment"] = start.to_dict() | given.get("augment", {})
    with naming_flags(TrainConfig):
        return TrainConfig.from_dict(given)


def _show(line: ProgressLine, event: TrainEvent) -> None:
    match event:
        case Started():
            for text in event.chosen:
                line.show(text, last=True)
        case Step():
            endless = math.isinf(event.seconds_left)
            left = "" if endless else f" · {human_time(event.seconds_left)} left"
            line.show(f"step {event.step} · loss {event.loss:.3f}{left}")
        case Validated():
            line.show(event.describe(), last=True)
        case Resting():
            line.show("resting: the score does not rise any more; Ctrl+C ends it", last=True)
        case Finished():
            line.show(event.describe(), last=True)
