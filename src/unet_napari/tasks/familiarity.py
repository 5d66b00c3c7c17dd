"""Whether an image is like those that a model was judged by. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unet_napari.tasks.decoding.decode import CellRule

__all__ = ["Familiarity", "usual"]

# Fewer images say nothing about what is usual.
_FEWEST_IMAGES = 10
# Other images of the same kind may be somewhat harder than the hardest of a few.
_DOUBT = 1.25


class Familiarity:
    """Compares how sure a model is of an image with how sure it was of its validation images.

    A network gives probabilities for any image. Where the foreground of one it does not know is
    less certain than usual, or covers more of it than usual, its cells deserve a look.

    Parameters
    ----------
    rule
        The rule that says which pixels belong to cells.
    least_confidence
        Least mean probability of the foreground within it that is usual, 0 to 1; 0: unknown.
    most_coverage
        Largest share of an image that is usually foreground, 0 to 1; 1: unknown.
    """

    def __init__(self, rule: CellRule, least_confidence: float, most_coverage: float) -> None:
        self._rule = rule
        self._least, self._most = least_confidence, most_coverage
        self._pixels = self._covered = self._total = 0

    def see(self, packed: NDArray[np.unsignedinteger]) -> None:
        """Take note of packed maps, ``(3, *S)``, of a part of the image."""
        foreground = packed[0][self._rule.mask(packed)]
        self._pixels += packed[0].size
        self._covered += foreground.size
        self._total += int(foreground.sum(dtype=np.int64))

    @property
    def facts(self) -> list[int]:
        """Numbers of pixels seen and of foreground among them, and the sum of its probability."""
        return [self._pixels, self._covered, self._total]

    def add(self, facts: Sequence[int]) -> None:
        """Take note of the `facts` of another part of the image."""
        pixels, covered, total = facts
        self._pixels += pixels
        self._covered += covered
        self._total += total

    @property
    def confidence(self) -> float:
        """Mean probability of the foreground within it, 0 to 1; 1 where there is none."""
        return self._total / (255 * self._covered) if self._covered else 1.0

    @property
    def coverage(self) -> float:
        """Share of the pixels seen that are foreground, 0 to 1."""
        return self._covered / max(self._pixels, 1)

    @property
    def degree(self) -> float | None:
        """How familiar what has been seen is, 0 to 1: below 1 where `describe` has words for it.

        None where it is not known what is usual, or nothing was seen.
        """
        if not self._pixels or (self._least <= 0 and self._most >= 1):
            return None
        shares = [1.0]
        if self._most < 1:
            shares.append((1 - self.coverage) / (1 - self._most))
        if self._least > 0:
            shares.append(max(1 - self._least, 1e-3) / max(1 - self.confidence, 1e-3))
        return min(shares)

    def describe(self) -> str | None:
        """Say what is unusual about what has been seen, as the end of a sentence about the model.

        Returns
        -------
        str or None
            None where the confidence is not lower, and the coverage not higher, than is usual.
        """
        if self.coverage > self._most:
            return (
                f"takes {self.coverage:.0%} of the image for cells, where {self._most:.0%} is "
                "the most that is usual"
            )
        if self.confidence < self._least:
            doubt = (1 - self.confidence) / max(1 - self._least, 1e-3)
            return (
                "is unsure which pixels belong to cells: its doubt is "
                f"{max(doubt, 1.1):.1f} times the most that is usual"
            )
        return None


def usual(rule: CellRule, packed: Sequence[NDArray[np.uint8]]) -> tuple[float, float]:
    """Return `least_confidence` and `most_coverage` of images that are known.

    Parameters
    ----------
    rule
        The rule that says which pixels belong to cells.
    packed
        Packed maps, ``(3, *S)`` each.

    Returns
    -------
    least_confidence, most_coverage : float
        A quarter more doubt than in the least certain of them, and halfway between the largest
        coverage and the whole image; 0 and 1 with fewer than ten images.
    """
    if len(packed) < _FEWEST_IMAGES:
        return 0.0, 1.0
    seen = []
    for maps in packed:
        familiarity = Familiarity(rule, 0, 1)
        familiarity.see(maps)
        seen.append((familiarity.confidence, familiarity.coverage))
    confidence, coverage = zip(*seen, strict=True)
    return max(0.0, 1 - _DOUBT * (1 - min(confidence))), (1 + max(coverage)) / 2
