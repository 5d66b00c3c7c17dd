"""The measure: from what is known of the objects of an image to one number each. No torch.

Its weights were fitted on training images, see docs/guide/doubt.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unet_napari.inference.doubt.overlaps import Fate
    from unet_napari.inference.doubt.shape_sums import ShapeSums

__all__ = ["SIGNS", "SizeReference", "doubts", "reasons", "signs_of"]

SIGNS = ("outline", "splits", "joins", "goes", "unsure", "cut", "shape", "small", "large")
"""What speaks against an object; each sign is a number from 0 to 1."""

_WEIGHTS = {
    "outline": 2.8,
    "splits": 0.7,
    "joins": 0.5,
    "goes": 0.3,
    "unsure": 2.3,
    "cut": 1.2,
    "shape": 0.7,
    "small": 1.5,
    "large": 1.4,
}
_BIAS = -3.2
# What tells the user what to do is named rather than what is merely unusual.
_TELLING_FACTORS = {"splits": 4.0, "joins": 3.0, "goes": 4.0}
_WORDS = {
    "outline": "unsure outline",
    "splits": "two seeds",
    "joins": "may belong to its neighbour",
    "goes": "hardly a cell",
    "unsure": "foreground near one half",
    "cut": "weak boundary",
    "shape": "unusual shape",
    "small": "unusually small",
    "large": "unusually large",
}
# Share of the strongest sign from which on a second one is named, too.
_SECOND_SIGN_SHARE = 0.3
# Standard deviations, of the logarithm of the size, at which a size is wholly unusual, and from
# which on it is unusual at all.
_USUAL_SIZE, _STRANGE_SIZE = 1.0, 3.0
# What hardly speaks against an object is not named.
_UNNAMED_SHARE = 0.02
_DIGITS = 6  # of a doubt; sums over other blocks differ in the sixteenth
# Sizes differ by so much, as a logarithm, even where all of those that are known are equal.
_LEAST_SPREAD = 0.25
# Objects that are needed to tell what is usual.
_FEWEST_OBJECTS = 8
# From ellipse to crescent, see `ShapeSums.fill`.
_ROUND, _STRANGE_SHAPE = 0.97, 0.75


@dataclass(frozen=True)
class SizeReference:
    """Which sizes are usual: the mean and the standard deviation of their logarithms."""

    middle: float
    spread: float

    @classmethod
    def of(cls, painted: NDArray[np.floating], others: NDArray[np.floating]) -> SizeReference:
        """Return what the painted cells are like, or the others where few are painted."""
        sizes = painted if painted.size >= _FEWEST_OBJECTS else others
        if sizes.size < _FEWEST_OBJECTS:
            return cls(0.0, np.inf)
        logs = np.log(np.maximum(sizes, 1))
        middle = float(np.median(logs))
        spread = 1.48 * float(np.median(np.abs(logs - middle)))
        return cls(middle, max(spread, _LEAST_SPREAD))

    def deviation(self, sizes: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return by how many standard deviations sizes are above the usual one."""
        return np.asarray((np.log(np.maximum(sizes, 1)) - self.middle) / self.spread)


def signs_of(
    sums: ShapeSums,
    cuts: NDArray[np.int64],
    fates: Sequence[Fate],
    reference: SizeReference,
) -> NDArray[np.floating]:
    """Return what speaks against each object.

    Parameters
    ----------
    sums
        What is known of the objects.
    cuts
        The cuts between them, see `Cuts.all`.
    fates
        What becomes of them with other thresholds.
    reference
        Sizes that are usual.

    Returns
    -------
    float ``(number of ids, len(SIGNS))``
        0 to 1; the first row is that of id 0.
    """
    size = sums.size
    deviation = reference.deviation(size)
    small = _ramp(-deviation, _USUAL_SIZE, _STRANGE_SIZE)
    small[sums.at_border] = 0  # the rest of it may be beyond the edge
    columns = {
        "outline": 1 - _mean([fate.iou for fate in fates], size),
        "splits": _mean([fate.splits for fate in fates], size),
        "joins": _mean([fate.joins for fate in fates], size),
        "goes": _mean([fate.goes for fate in fates], size),
        "unsure": np.minimum(2 * sums.unsure, 1),
        "cut": _weakest_cut(cuts, size, len(sums.centre[0])),
        "shape": _ramp(-sums.fill, -_ROUND, -_STRANGE_SHAPE),
        "small": small,
        "large": _ramp(deviation, _USUAL_SIZE, _STRANGE_SIZE),
    }
    return np.stack([columns[name] for name in SIGNS], axis=1)


def doubts(signs: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the doubt in each object, 0 to 1: about the probability that it is wrong."""
    doubt = 1 / (1 + np.exp(-(_BIAS + signs @ _weights())))
    return np.asarray(np.round(doubt, _DIGITS))


def reasons(signs: NDArray[np.floating], usual: NDArray[np.floating]) -> str:
    """Say what speaks most against one object.

    Parameters
    ----------
    signs
        Its row of signs.
    usual
        The signs of a usual object of the image: what speaks against all of them is not named.
    """
    telling = np.array([_TELLING_FACTORS.get(name, 1.0) for name in SIGNS])
    shares = np.maximum(signs - usual, 0) * _weights() * telling
    first, second = np.argsort(-shares, kind="stable")[:2]
    if shares[first] <= _UNNAMED_SHARE:
        return "nothing unusual"
    words = [_WORDS[SIGNS[first]]]
    if shares[second] > _SECOND_SIGN_SHARE * shares[first]:
        words.append(_WORDS[SIGNS[second]])
    return ", ".join(words)


def _weights() -> NDArray[np.floating]:
    return np.array([_WEIGHTS[name] for name in SIGNS])


def _weakest_cut(
    cuts: NDArray[np.int64], size: NDArray[np.floating], ndim: int
) -> NDArray[np.floating]:
    """Return how weak the weakest long cut of each object is, 0 to 1."""
    pairs, sums, lengths = cuts
    ends = pairs.view(np.uint64)
    weak = 1 - sums / (255 * np.maximum(lengths, 1))
    found = np.zeros(size.size)
    for ids in (ends >> np.uint64(32), ends & np.uint64(2**32 - 1)):
        at = ids.astype(np.intp)
        # A cut as long as the object is wide counts in full, and one of a few pixels hardly.
        share = lengths / np.maximum(size[at], 1) ** ((ndim - 1) / ndim)
        np.maximum.at(found, at, weak * np.minimum(share, 1))
    return found


def _mean(
    values: Sequence[NDArray[np.floating] | NDArray[np.bool_]], like: NDArray[np.floating]
) -> NDArray[np.floating]:
    if not values:
        return np.zeros_like(like)
    return np.asarray(np.mean(np.stack(values).astype(float), axis=0))


def _ramp(values: NDArray[np.floating], start: float, stop: float) -> NDArray[np.floating]:
    return np.asarray(np.clip((values - start) / (stop - start), 0, 1))
