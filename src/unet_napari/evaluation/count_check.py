"""A count with its error, from a few objects that somebody has looked at. It needs NumPy and SciPy.

Each found object stands for its territory: the pixels that are nearer to it than to any other found
one. Somebody says of a territory how many true objects have their middle there: 1 where the object
is right, 0 where it is none, 2 where it is two or where one beside it was missed. The territories
fill the image and every middle lies in one of them, so the true number is the sum over all of them.

Which are looked at is drawn at random within strata of equal doubt (Cochran, Sampling Techniques,
3rd edition, 1977, chapters 5 and 5A), and the model's own count is corrected by what is found, as
in prediction-powered inference (Angelopoulos et al., Science 382, 669, 2023): the estimate has no
bias, whatever the model and its doubt are worth. The variance within a stratum is moderated, as few
answers say little of it (Smyth, Stat. Appl. Genet. Mol. Biol. 3, 3, 2004): the doubt counts as some
answers more. The interval is that of Student's t with Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ANSWER_COLUMN",
    "FEWEST_CHECKS",
    "CheckedStratum",
    "CountEstimate",
    "checked_strata",
    "draw_checks",
    "estimate_count",
    "strata_of",
]

ANSWER_COLUMN = "cells"
"""Column of a table of checks that takes how many true objects are in the territory."""

_STRATA = 5
FEWEST_CHECKS = _STRATA
"""Number of objects that must be looked at: one of each stratum."""

_FEWEST_IN_STRATUM = 4  # objects; with fewer there are fewer strata
# Doubts below and above it are taken for it, so that no object is never drawn.
_LEAST_DOUBT, _MOST_DOUBT = 1e-3, 0.97
# How many answers the doubt counts for, and the mean square of an error in the number of objects.
_DOUBT_ANSWERS, _SQUARED_ERROR = 2.0, 1.3
_SHARE = 0.95


@dataclass(frozen=True)
class CheckedStratum:
    """Objects of about equal doubt, of which some were looked at.

    Attributes
    ----------
    size : int
        Number of objects.
    doubt : float
        Their mean doubt, 0 to 1.
    answers : tuple of int
        How many true objects are in the territory of each one that was looked at.
    """

    size: int
    doubt: float
    answers: tuple[int, ...] = ()


@dataclass(frozen=True)
class CountEstimate:
    """A number of objects with its error.

    Attributes
    ----------
    found : int
        Number of found objects.
    count : float
        Estimate of the true number.
    low, high : float
        The 95 % interval, of whole objects.
    checked : int
        Number of objects that were looked at.
    """

    found: int
    count: float
    low: float
    high: float
    checked: int

    def describe(self, objects: str = "objects") -> str:
        """Say it in one sentence."""
        if self.checked == self.found:
            return f"{self.count:,.0f} {objects}: all {self.found:,} that were found were checked."
        return (
            f"{self.count:,.0f} {objects}, 95 % between {self.low:,.0f} and {self.high:,.0f} "
            f"({self.checked} of the {self.found:,} that were found were checked)."
        )


def strata_of(doubts: ArrayLike) -> NDArray[np.intp]:
    """Divide objects into strata of equal doubt, each with about as much uncertainty in it.

    Parameters
    ----------
    doubts : array-like of float, shape (N,)
        Doubt in each found object, 0 to 1.

    Returns
    -------
    int ``(N,)``
        The stratum of each, from 0 (little doubt) on.
    """
    doubt = np.clip(np.asarray(doubts, float), _LEAST_DOUBT, _MOST_DOUBT)
    number = max(1, min(_STRATA, doubt.size // _FEWEST_IN_STRATUM))
    order = np.argsort(doubt, kind="stable")
    spread = np.cumsum(np.sqrt(doubt * (1 - doubt))[order])
    stops = np.searchsorted(spread, spread[-1:] * np.arange(1, number) / number, side="right")
    starts = [0, *stops.tolist()]
    # Where a few objects have most of the doubt, every stratum still gets some objects.
    for stratum in range(1, number):
        starts[stratum] = max(starts[stratum], starts[stratum - 1] + _FEWEST_IN_STRATUM)
    for stratum in reversed(range(1, number)):
        following = [*starts, doubt.size][stratum + 1]
        starts[stratum] = min(starts[stratum], following - _FEWEST_IN_STRATUM)
    strata = np.empty(doubt.size, np.intp)
    strata[order] = np.searchsorted(starts, np.arange(doubt.size), side="right") - 1
    return strata


def draw_checks(doubts: ArrayLike, number: int = 20, seed: int = 0) -> list[int]:
    """Draw at random which objects are looked at, one of each stratum in turn.

    Whoever stops early has still looked at a random choice of each stratum, and whoever goes on
    asks for a larger number with the same seed: the choice begins with the same objects.

    Parameters
    ----------
    doubts : array-like of float, shape (N,)
        Doubt in each found object, 0 to 1.
    number : int
        Number of objects to draw; all where there are no more.
    seed : int
        Number from which all chance comes.

    Returns
    -------
    list of int
        Positions in `doubts`, in the order in which they are to be looked at.
    """
    strata = strata_of(doubts)
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == stratum) for stratum in range(strata.max(initial=-1) + 1)]
    shuffled = [rng.permutation(indices).tolist() for indices in members]
    turns = max(map(len, shuffled), default=0)
    # The doubtful ones first, as they tell more to someone who stops after a few.
    drawn = [own[turn] for turn in range(turns) for own in reversed(shuffled) if turn < len(own)]
    return drawn[:number]


def checked_strata(doubts: ArrayLike, answers: Mapping[int, int]) -> list[CheckedStratum]:
    """Return the strata with what was answered.

    Parameters
    ----------
    doubts : array-like of float, shape (N,)
        Doubt in each found object, 0 to 1.
    answers : mapping of int to int
        For each object that was looked at, as `draw_checks` has drawn them, the number of true
        ones in its territory.
    """
    doubt, strata = np.asarray(doubts, float), strata_of(doubts)
    return [
        CheckedStratum(
            int(np.count_nonzero(strata == stratum)),
            float(doubt[strata == stratum].mean()),
            tuple(answer for index, answer in answers.items() if strata[index] == stratum),
        )
        for stratum in range(strata.max(initial=-1) + 1)
    ]


def estimate_count(strata: Sequence[CheckedStratum]) -> CountEstimate:
    """Estimate the true number of objects, with its 95 % interval.

    Raises
    ------
    SettingsError
        If nothing was found, an answer is no number of objects, or a stratum has no answer yet.
    """
    from scipy import stats

    found = sum(stratum.size for stratum in strata)
    answers = [answer for stratum in strata for answer in stratum.answers]
    if not found:
        raise SettingsError("No object was found, so there is none that can be checked.")
    if any(answer < 0 for answer in answers):
        raise SettingsError("The number of objects at a place is 0, 1, 2 or more.")
    if not all(stratum.answers for stratum in strata):
        raise SettingsError(
            f"Check at least {len(strata)} objects, in the order in which they were drawn: "
            f"{len(answers)} are not enough for an interval."
        )
    count = variance = weight = 0.0
    for stratum in strata:
        mean, squared, freedom = _moderated(stratum)
        count += stratum.size * mean
        variance += squared
        weight += squared**2 / freedom
    if not variance:
        return CountEstimate(found, count, count, count, len(answers))
    half = float(stats.t.ppf((1 + _SHARE) / 2, variance**2 / weight)) * math.sqrt(variance)
    seen = float(sum(answers))  # there are at least so many
    low, high = max(math.floor(count - half), seen), math.ceil(count + half)
    return CountEstimate(found, count, low, high, len(answers))


def _moderated(stratum: CheckedStratum) -> tuple[float, float, float]:
    """Return the mean answer, the variance of the sum of a stratum, and its degrees of freedom."""
    answers = np.asarray(stratum.answers, float)
    looked_at = answers.size
    mean = float(answers.mean())
    freedom = looked_at - 1 + _DOUBT_ANSWERS
    expected = _SQUARED_ERROR * max(stratum.doubt, _LEAST_DOUBT)
    spread = (float(((answers - mean) ** 2).sum()) + _DOUBT_ANSWERS * expected) / freedom
    left = max(1 - looked_at / stratum.size, 0.0)  # of all that could be drawn
    return mean, spread / looked_at * left * stratum.size**2, freedom
