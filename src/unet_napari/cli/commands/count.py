"""``unet-napari count``: how many cells there are, with the error of that."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.errors import SettingsError
from unet_napari.evaluation.count_check import ANSWER_COLUMN, CheckedStratum, estimate_count

if TYPE_CHECKING:
    from unet_napari.cli.values import Subparsers

__all__ = ["add_count_command"]

_NEEDED = (ANSWER_COLUMN, "stratum", "stratum_cells", "stratum_doubt")


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
    print(estimate_count(_strata(arguments.checks)).describe("cells"))


def _strata(path: Path) -> list[CheckedStratum]:
    """Read what was answered.

    Raises
    ------
    SettingsError
        If it is no such table, or an answer is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path} cannot be read as a table: {error}.") from error
    if not rows or not set(_NEEDED) <= rows[0].keys():
        raise SettingsError(
            f"{path} is no table of checks: unet-napari doubt IMAGE --check 20 --output CHECKS.csv "
            "makes one."
        )
    strata: dict[str, CheckedStratum] = {}
    for line, row in enumerate(rows, start=2):
        try:
            own = strata.setdefault(
                row["stratum"],
                CheckedStratum(int(row["stratum_cells"]), float(row["stratum_doubt"])),
            )
            answer = (row[ANSWER_COLUMN] or "").strip()
            if answer:
                answers = (*own.answers, int(answer))
                strata[row["stratum"]] = CheckedStratum(own.size, own.doubt, answers)
        except (ValueError, TypeError) as error:
            raise SettingsError(
                f"Line {line} of {path}: {ANSWER_COLUMN} is a whole number such as 0, 1 or 2, and "
                "the other columns stay as they are."
            ) from error
    return list(strata.values())
