"""Which of two results is better, and whether that is more than chance. It needs NumPy only.

The difference of AP gets an interval by the bootstrap over clusters (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapters 8 and 13): what is wrong about one true object is one
draw, as its missing and what was found in its place come together; with ten images or more an
image is one, as the objects of an image are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from unet_napari.evaluation.matching import Match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["RIVAL_KINDS", "Difference", "difference", "right_in_one"]

RIVAL_KINDS = ("only first", "only second")
"""Which of two results has an object right that the other has not."""

_IMAGES_ENOUGH = 10  # from so many images on, an image is one draw
_RESAMPLES = 2000
_SHARE = 0.95  # of the resamples that the interval holds


@dataclass(frozen=True)
class Difference:
    """How much better one result is than another on the same images.

    Attributes
    ----------
    first, second
        AP of the two results, from 0 to 1.
    low, high
        The 95 % interval of ``first - second``.
    draws
        Number of independent things that the interval rests on.
    unit
        What they are.
    """

    first: float
    second: float
    low: float
    high: float
    draws: int
    unit: Literal["objects", "images"]

    @property
    def better(self) -> int:
        """1 or 2 where that result is better beyond its error, else 0."""
        if self.low > 0:
            return 1
        return 2 if self.high < 0 else 0

    def describe(self, first: str, second: str, score: str = "AP50") -> str:
        """Return a sentence about the two results, called by these names."""
        scores = f"{score} {self.first:.3f} of '{first}', {self.second:.3f} of '{second}'"
        interval = f"difference {self.low:+.3f} to {self.high:+.3f}, from {self.draws} {self.unit}"
        if not self.better:
            return f"{scores}: none is better beyond chance ({interval})."
        return f"{scores}: '{(first, second)[self.better - 1]}' is better ({interval})."


def difference(
    first: Sequence[Match], second: Sequence[Match], *, threshold: float = 0.5, seed: int = 0
) -> Difference:
    """Compare two results with the same truth.

    Parameters
    ----------
    first, second
        Overlaps of the true objects with those of each result, one `Match` for each image, in the
        same order.
    threshold
        Least IoU of a pair that matches.
    seed
        Of the resamples; the same seed gives the same interval.

    Raises
    ------
    ValueError
        If the two are not of the same images.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} images and {len(second)}")
    counts = []
    for a, b in zip(first, second, strict=True):
        if not np.array_equal(a.true_area, b.true_area):
            raise ValueError("the results are compared with different labels")
        counts.append(_paired(_counts(a, threshold), _counts(b, threshold)))
    by_image = len(counts) >= _IMAGES_ENOUGH
    units = np.stack([c.sum(0) for c in counts]) if by_image else np.concatenate(counts)
    low, high = _interval(units, seed)
    one, two = _precision(units.sum(0))
    return Difference(
        float(one), float(two), low, high, len(units), "images" if by_image else "objects"
    )


def right_in_one(
    first: Match, second: Match, *, threshold: float = 0.5
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which true objects only the first result matches, and which only the second."""
    one, two = (_counts(found, threshold)[:-1, 0] == 1 for found in (first, second))
    return one & ~two, two & ~one


def _counts(found: Match, threshold: float) -> NDArray[np.int64]:
    """Return hits and errors of each true object, ``(n, 2)``; a last row holds all others.

    A predicted object that matches none belongs to the true one that it overlaps most.
    """
    n = found.true_count
    pairs = found.matched_pairs(threshold)
    hit = np.zeros(n + 1, np.int64)
    hit[found.true_index[pairs]] = 1
    place = np.full(found.predicted_count, n)
    order = np.argsort(found.overlap, kind="stable")  # the largest overlap is written last
    place[found.predicted_index[order]] = found.true_index[order]
    extra = np.ones(found.predicted_count, bool)
    extra[found.predicted_index[pairs]] = False
    errors = np.bincount(place[extra], minlength=n + 1)
    errors[:n] += 1 - hit[:n]
    return np.stack([hit, errors], axis=1)


def _paired(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one row for each draw: hits and errors of both results.

    Objects that overlap no true one are a draw each.
    """
    alone = [
        np.tile(row, (count, 1))
        for count, row in ((a[-1, 1], (0, 1, 0, 0)), (b[-1, 1], (0, 0, 0, 1)))
    ]
    return np.concatenate([np.concatenate([a[:-1], b[:-1]], axis=1), *alone])


def _precision(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return AP of both results of sums ``(..., 4)``; 1 where there is nothing at all."""
    hits, every = sums[..., 0::2], sums[..., 0::2] + sums[..., 1::2]
    return np.where(every == 0, 1.0, hits / np.maximum(every, 1))


def _interval(units: NDArray[np.int64], seed: int) -> tuple[float, float]:
    if not len(units):
        return 0.0, 0.0
    # Draws of the same numbers are alike, so that a million objects cost no more than a hundred.
    kinds, count = np.unique(units, axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    times = random.multinomial(len(units), count / len(units), size=_RESAMPLES)
    ap = _precision(times @ kinds)
    low, high = np.quantile(ap[:, 0] - ap[:, 1], [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
    return float(low), float(high)
