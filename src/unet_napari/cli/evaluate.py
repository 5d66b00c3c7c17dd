"""``unet-napari evaluate``: how good a model is on labelled images it never saw."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.cli.progress import ProgressLine
from unet_napari.cli.values import matching_files
from unet_napari.inference.config import DEVICES

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]


def add_parser(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "evaluate", help="AP at 0.5 to 0.9, PQ, splits, merges and Dice on labelled images"
    )
    add = parser.add_argument
    add("--images", required=True, type=Path, metavar="DIR")
    add("--labels", required=True, type=Path, metavar="DIR", help="with the same file names")
    add("--model", required=True, help="name of a model, or its file")
    add("--axes", help="of the images, such as ZYX or CYX")
    add("--device", choices=DEVICES, default="auto")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    import numpy as np

    from unet_napari.api import segment
    from unet_napari.images import read_image
    from unet_napari.inputs import image_for
    from unet_napari.metrics import evaluate
    from unet_napari.model import Model

    model = Model.load(arguments.model)
    files = matching_files(arguments.images, arguments.labels)
    line = ProgressLine("evaluating")
    truth, predicted = [], []
    for number, (image_path, label_path) in enumerate(files, start=1):
        image = image_for(model, str(image_path), axes=arguments.axes)
        predicted.append(segment(image, model, axes=arguments.axes, device=arguments.device))
        truth.append(np.asarray(read_image(label_path).data[:]))
        line.show(f"image {number}/{len(files)}", last=number == len(files))
    print(evaluate(truth, predicted).describe())
