"""The objects that somebody looks at for a count with its error, and the table of the answers.

The docks and the command line draw, write and read them here, so that both give the same numbers.
Free of torch, for the napari side.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unet_napari.errors import SettingsError
from unet_napari.evaluation.count_check import (
    ANSWER_COLUMN,
    CheckedStratum,
    checked_strata,
    draw_checks,
    strata_of,
)
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["CheckPlace", "answered_strata", "check_columns", "draw_places", "read_checks"]

_NEEDED = (ANSWER_COLUMN, "stratum", "stratum_cells", "stratum_doubt")
_DIGITS = 6  # of a doubt in the table


@dataclass(frozen=True)
class CheckPlace:
    """An object that was drawn to be looked at, and what it stands for.

    Attributes
    ----------
    item : DoubtfulObject
    stratum : int
        Its stratum, from 0 (little doubt) on.
    stratum_cells : int
        Number of objects in the stratum.
    stratum_doubt : float
        Their mean doubt, 0 to 1, as it stands in the table.
    """

    item: DoubtfulObject
    stratum: int
    stratum_cells: int
    stratum_doubt: float


def draw_places(found: Sequence[DoubtfulObject], number: int, seed: int) -> list[CheckPlace]:
    """Draw at random which objects are looked at, some of each degree of doubt.

    Parameters
    ----------
    found : sequence of DoubtfulObject
        All of them. What may be a missed cell is left out: each true cell is counted at the found
        one that is nearest to it, so it would be counted twice.
    number : int
        Number of objects to draw; all where there are no more.
    seed : int
        Number from which all chance comes; a larger `number` begins with the same objects.

    Returns
    -------
    list of CheckPlace
        In the order in which they are to be looked at.
    """
    objects = [item for item in found if not item.missed]
    doubts = [item.doubt for item in objects]
    strata, sums = strata_of(doubts), checked_strata(doubts, {})
    return [
        CheckPlace(
            objects[index],
            int(strata[index]),
            sums[strata[index]].size,
            round(sums[strata[index]].doubt, _DIGITS),
        )
        for index in draw_checks(doubts, number, seed)
    ]


def answered_strata(
    places: Sequence[CheckPlace], answers: Sequence[int | None]
) -> list[CheckedStratum]:
    """Return the strata with what was answered, as `estimate_count` takes them.

    Parameters
    ----------
    places : sequence of CheckPlace
        All that `draw_places` has drawn.
    answers : sequence of int or None
        For each place, how many true objects have their middle there; None where that is open.
    """
    rows = (
        (str(place.stratum), place.stratum_cells, place.stratum_doubt, answer)
        for place, answer in zip(places, answers, strict=True)
    )
    return _grouped(rows)


def check_columns(
    places: Sequence[CheckPlace], answers: Sequence[int | None], axes: str
) -> dict[str, Sequence[Any]]:
    """Return places and answers as columns of a table, which `read_checks` reads again.

    Parameters
    ----------
    places, answers
        As for `answered_strata`.
    axes : str
        Axes of the points of the objects.
    """
    items = [place.item for place in places]
    table: dict[str, Sequence[Any]] = {
        ANSWER_COLUMN: ["" if answer is None else answer for answer in answers],
        "doubt": [round(item.doubt, 4) for item in items],
        "reason": [item.reason for item in items],
        "label": [item.number for item in items],
        "pixels": [item.size for item in items],
    }
    for axis, letter in enumerate(axes.lower()):
        table[letter] = [item.point[axis] for item in items]
    for name in ("stratum", "stratum_cells", "stratum_doubt"):
        table[name] = [getattr(place, name) for place in places]
    return table


def read_checks(path: Path) -> list[CheckedStratum]:
    """Read what was answered from a table.

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
            "makes one, and so does Check the count in the Segment dock."
        )
    return _grouped(_row(path, line, row) for line, row in enumerate(rows, start=2))


def _row(path: Path, line: int, row: dict[str, str]) -> tuple[str, int, float, int | None]:
    try:
        answer = (row[ANSWER_COLUMN] or "").strip()
        return (
            row["stratum"],
            int(row["stratum_cells"]),
            float(row["stratum_doubt"]),
            int(answer) if answer else None,
        )
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"Line {line} of {path}: {ANSWER_COLUMN} is a whole number such as 0, 1 or 2, and "
            "the other columns stay as they are."
        ) from error


def _grouped(rows: Iterable[tuple[str, int, float, int | None]]) -> list[CheckedStratum]:
    """Gather stratum, its number of objects, its doubt and an answer into strata."""
    strata: dict[str, CheckedStratum] = {}
    for name, size, doubt, answer in rows:
        before = strata.get(name, CheckedStratum(size, doubt))
        answers = before.answers if answer is None else (*before.answers, answer)
        strata[name] = CheckedStratum(before.size, before.doubt, answers)
    return list(strata.values())
