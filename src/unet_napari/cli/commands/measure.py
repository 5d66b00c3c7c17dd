"""``unet-napari measure``: the objects of labels that there are already, in a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.cli.inference_options import add_scale
from unet_napari.cli.outputs import check_free
from unet_napari.cli.progress_bar import ProgressLine
from unet_napari.labels.measured_columns import PROPERTIES, check_properties
from unet_napari.labels.table_files import check_table_name, print_table, write_table

if TYPE_CHECKING:
    from unet_napari.cli.values import Subparsers

__all__ = ["add_measure_command"]


def add_measure_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "measure",
        help="size, shape, place and intensity of labelled objects",
        description="Measure each object of labels, of any size. The columns are called as in "
        "scikit-image's regionprops_table, and have the unit behind their name where they are in "
        "micrometres. Without --output the table is printed as CSV.",
    )
    add = parser.add_argument
    add("labels", type=Path, metavar="LABELS", help="TIFF, zarr or PNG with a number per object")
    add("--image", type=Path, metavar="IMAGE",
        help="the image that they lie on, to measure intensities in each channel")  # fmt: skip
    add("--output", type=Path, metavar="TABLE",
        help="a .csv, or a .parquet where pyarrow is installed")  # fmt: skip
    add("--properties", metavar="NAME,...",
        help=f"what to measure (default: all of {', '.join(PROPERTIES)})")  # fmt: skip
    add("--slicewise", action="store_true",
        help="measure each slice of a stack as an image of its own")  # fmt: skip
    add(
        "--axes",
        metavar="AXES",
        help="axes of the image, or else of the labels, where they are guessed wrong",
    )
    add("--channel", type=int, metavar="N", help="measure this channel alone, counted from 0")
    add_scale(parser)
    add("--overwrite", action="store_true", help="replace a table that exists")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    from unet_napari.inputs import measured_pair
    from unet_napari.labels.measure import measure_objects
    from unet_napari.system.atomic import check_output

    output: Path | None = arguments.output
    if output is not None:
        check_table_name(output)
        if not arguments.overwrite:
            check_free([output])
        check_output(output, overwrite=True)
    names = check_properties(arguments.properties and _names(arguments.properties))
    line = ProgressLine("measuring")
    labels, image = measured_pair(
        arguments.labels,
        arguments.image,
        axes=arguments.axes,
        scale=arguments.scale,
        channel=arguments.channel,
    )
    table = measure_objects(
        labels,
        image,
        names,
        slicewise=arguments.slicewise,
        tick=lambda done, total: line.show(f"{done / total:.0%}"),
    )
    count = len(table["label"])
    what = "1 object" if count == 1 else f"{count:,} objects" if count else "no object"
    if output is None:
        line.show(what, last=True)
        print_table(sys.stdout, table)
    else:
        write_table(output, table)
        line.show(f"{what}, written to {output}", last=True)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
