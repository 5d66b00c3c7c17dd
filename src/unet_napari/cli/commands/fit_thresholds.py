"""``unet-napari fit-thresholds``: thresholds by what was painted, and kept in a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.cli.inference_options import add_inference_options, config_for, read_as_asked
from unet_napari.cli.progress_bar import ProgressLine
from unet_napari.errors import OutputError

if TYPE_CHECKING:
    from unet_napari.cli.values import Subparsers

__all__ = ["add_fit_command"]


def add_fit_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "fit-thresholds",
        help="fit the thresholds of a model to painted cells",
        description="Segment an image, and find the thresholds with which the cells come out as "
        "they are painted. They are printed as options of segment, and with --keep or --output "
        "stored in the model.",
    )
    add = parser.add_argument
    add("model", help="name of a model, or its file")
    add("image", type=Path)
    add("labels", type=Path, help="at least five painted cells; 0 is unpainted")
    add("--background", type=int, metavar="N", help="number of the labels that means background")
    add("--complete", action="store_true", help="every cell is painted: 0 is background")
    add("--keep", action="store_true", help="store them in the model's own file")
    add("--output", type=Path, metavar="FILE.unet", help="store them in a copy of the model")
    add("--overwrite", action="store_true", help="replace the copy if it exists")
    add_inference_options(parser)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    import numpy as np

    from unet_napari.inputs import image_for
    from unet_napari.labels.label_axes import read_labels
    from unet_napari.model.info import find_model
    from unet_napari.model.model import Model
    from unet_napari.second_round import fit_thresholds, store_thresholds

    path = find_model(arguments.model)
    _check(arguments, path)
    model = Model.load(path)
    image = image_for(model, read_as_asked(arguments.image, arguments))
    labels = read_labels(arguments.labels, image)
    line = ProgressLine(image.name)
    fit = fit_thresholds(
        image,
        labels,
        model,
        annotated=np.ones(labels.shape, bool) if arguments.complete else None,
        background=arguments.background,
        on_progress=lambda step: line.show(f"{step.stage} {step.done}/{step.total}"),
        **config_for(arguments).to_dict(),
    )
    line.show("done", last=True)
    flags = {name: f"--{name.replace('_', '-')}" for name in fit.thresholds}
    print(" ".join(f"{flags[name]} {value:g}" for name, value in fit.thresholds.items()))
    name = fit.score_name
    print(f"{name} {fit.score:.3f} on {fit.cells:,} painted cells, {fit.before:.3f} before")
    if arguments.keep or arguments.output:
        source = {"fitted to": f"{fit.cells} painted cells", name: round(fit.score, 4)}
        written = store_thresholds(path, fit.thresholds, arguments.output, source)
        print(f"kept in {written}")


def _check(arguments: argparse.Namespace, path: Path) -> None:
    """Refuse, before anything is computed, what could not be written."""
    from unet_napari.cli.outputs import check_side_output
    from unet_napari.model.info import is_bundled

    if arguments.keep and arguments.output:
        raise OutputError("--keep writes to the model's own file, --output to a copy: give one.")
    if arguments.keep and is_bundled(path):
        raise OutputError(
            f"'{arguments.model}' comes with unet-napari and is not changed: write a copy with "
            "--output FILE.unet."
        )
    check_side_output(arguments.output, (".unet",), overwrite=arguments.overwrite)
