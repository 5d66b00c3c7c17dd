"""``unet-napari count``: how many cells there are, with the error of that."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.evaluation.count_check import ANSWER_COLUMN, estimate_count
from unet_napari.inference.doubt.check_table import read_checks

if TYPE_CHECKING:
    from unet_napari.cli.values import Subparsers

__all__ = ["add_count_command"]


def add_count_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "count",
        help="how many cells there are, with its error, from cells that were checked",
        description="Correct the number of found cells by some that somebody has looked at. "
        "unet-napari doubt IMAGE --check 20 --output checks.csv draws them; in the column "
        f"{ANSWER_COLUMN} of that table stands how many cells really have their middle nearer to "
        "this one than to any other found one: 1 where it is right, 0 where it is none, 2 where it "
        "is two, or where one beside it was missed. Rows that are empty do not count.",
    )
    parser.add_argument("checks", type=Path, metavar="TABLE", help="the table, filled in")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    print(estimate_count(read_checks(arguments.checks)).describe("cells"))
