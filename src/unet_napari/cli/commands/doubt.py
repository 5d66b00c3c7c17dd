"""``unet-napari doubt``: where a segmentation is most likely wrong."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.cli.inference_options import add_inference_options, config_for, read_as_asked
from unet_napari.cli.option_arguments import add_options, given_options, naming_flags
from unet_napari.cli.outputs import check_side_output
from unet_napari.cli.progress_bar import ProgressLine
from unet_napari.errors import SettingsError
from unet_napari.evaluation.count_check import FEWEST_CHECKS
from unet_napari.inference.config import DEFAULT_MODEL, CellThresholds
from unet_napari.inference.doubt.check_table import check_columns, draw_places
from unet_napari.labels.table_files import TABLE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unet_napari.cli.values import Subparsers
    from unet_napari.inference.doubt.doubtful_object import DoubtfulObject

__all__ = ["add_doubt_command"]


def add_doubt_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "doubt",
        help="rank the cells of an image by how far they are to be doubted",
        description="Segment an image and write a table of its cells, the most doubtful first: "
        "doubt from 0 to 1, the reason, the number in the labels of segment, and a pixel of the "
        "cell.",
    )
    add = parser.add_argument
    add("image", type=Path)
    add("--model", default=DEFAULT_MODEL,
        help="name of a model of cells, or its file (default: nuclei)")  # fmt: skip
    add("--output", required=True, type=Path, metavar="TABLE", help="a .csv or .parquet")
    add("--painted", type=Path, metavar="FILE",
        help="painted labels: their cells are left out, but for likely mistakes")  # fmt: skip
    add("--background", type=int, metavar="N", help="number among them that means background")
    add("--most", type=int, default=500, metavar="N", help="cells to list (default: 500)")
    add("--check", type=int, metavar="N",
        help="instead draw N cells at random, to be looked at; then unet-napari count")  # fmt: skip
    add("--draw", type=int, default=0, metavar="SEED",
        help="number from which the chance of --check comes (default: 0)")  # fmt: skip
    add("--overwrite", action="store_true", help="replace the table if it exists")
    add_options(parser, CellThresholds)
    add_inference_options(parser)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    from unet_napari.inference import result_axes
    from unet_napari.inputs import image_for
    from unet_napari.labels.label_axes import read_labels
    from unet_napari.labels.table_files import write_table
    from unet_napari.model.model import Model
    from unet_napari.second_round import doubtful_objects

    if arguments.most < 1:
        raise SettingsError(f"--most is a number of cells above 0, not {arguments.most}.")
    if arguments.check is not None:
        _check_draw(arguments)
    check_side_output(arguments.output, TABLE_SUFFIXES, overwrite=arguments.overwrite)
    with naming_flags(CellThresholds):
        thresholds = given_options(arguments, CellThresholds)
    model = Model.load(arguments.model)
    image = image_for(model, read_as_asked(arguments.image, arguments))
    painted = None if arguments.painted is None else read_labels(arguments.painted, image)
    line = ProgressLine(image.name)
    found = doubtful_objects(
        image,
        model,
        thresholds=thresholds,
        painted=painted,
        background=arguments.background,
        most=arguments.most if arguments.check is None else sys.maxsize,
        on_progress=lambda step: line.show(f"{step.stage} {step.done}/{step.total}"),
        **config_for(arguments).to_dict(),
    )
    axes = result_axes(image)
    if arguments.check is None:
        table = _table(found, axes)
    else:
        places = draw_places(found, arguments.check, arguments.draw)
        table = check_columns(places, [None] * len(places), axes)
    write_table(arguments.output, table)
    line.show(f"written to {arguments.output}", last=True)


def _table(found: Sequence[DoubtfulObject], axes: str) -> dict[str, Sequence[Any]]:
    """Return the ranking in columns."""
    table: dict[str, Sequence[Any]] = {
        "doubt": [round(item.doubt, 4) for item in found],
        "reason": [item.reason for item in found],
        "label": [item.number for item in found],
        "painted": [int(item.painted) for item in found],
        "missed": [int(item.missed) for item in found],
        "pixels": [item.size for item in found],
    }
    for axis, letter in enumerate(axes.lower()):
        table[letter] = [item.point[axis] for item in found]
    return table


def _check_draw(arguments: argparse.Namespace) -> None:
    """Refuse a draw that says nothing of all cells."""
    if arguments.check < FEWEST_CHECKS:
        raise SettingsError(f"--check takes at least {FEWEST_CHECKS} cells.")
    if arguments.painted is not None:
        raise SettingsError("--check draws among all cells: leave --painted out.")
    if arguments.output.suffix.lower() != ".csv":
        raise SettingsError("--check writes a .csv, which is filled in by hand.")
