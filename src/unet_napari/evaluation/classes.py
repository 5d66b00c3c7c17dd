"""Agreement of predicted classes of pixels with the true ones. It needs NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ClassCounts", "ClassEvaluation", "count_classes"]


@dataclass(frozen=True)
class ClassCounts:
    """Numbers of pixels of each class in one image, arrays of shape (number of classes,).

    Attributes
    ----------
    true, predicted
        Number of pixels that have the class in the truth, and in the prediction.
    shared
        Number of pixels that have it in both.
    """

    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    shared: NDArray[np.int64]


def count_classes(
    true: NDArray[np.integer], predicted: NDArray[np.integer], classes: Sequence[int]
) -> ClassCounts:
    """Count the pixels of each class among those whose true class is one of them.

    Parameters
    ----------
    true, predicted
        Ids of classes, of equal shape; pixels whose true id is no class are left out.
    classes
        Ids of the classes.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if true.shape != predicted.shape:
        raise ValueError(f"shapes differ: {true.shape} and {predicted.shape}")
    labelled = np.isin(true, classes)
    true, predicted = true[labelled], predicted[labelled]
    counts = [
        (
            np.count_nonzero(true == i),
            np.count_nonzero(predicted == i),
            np.count_nonzero((true == i) & (predicted == i)),
        )
        for i in classes
    ]
    return ClassCounts(*np.array(counts, np.int64).reshape(-1, 3).T)


@dataclass(frozen=True)
class ClassEvaluation:
    """Agreement over some images, whose pixels are pooled.

    Attributes
    ----------
    classes
        Ids of the classes.
    counts
        Counts of pixels, one for each image.
    """

    classes: tuple[int, ...]
    counts: tuple[ClassCounts, ...]

    def dice(self) -> NDArray[np.float64]:
        """Return ``2 |A and B| / (|A| + |B|)`` of each class; NaN where neither has a pixel."""
        shared = sum(c.shared for c in self.counts)
        both = sum(c.true + c.predicted for c in self.counts)
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * shared / both, np.float64)

    def mean_dice(self) -> float:
        """Return the mean Dice of the classes that occur; 1 where none does."""
        dice = self.dice()
        known = dice[~np.isnan(dice)]
        return float(known.mean()) if known.size else 1.0

    def row(self, image: int) -> dict[str, float]:
        """Return the measures of one image by name, for a table."""
        one = ClassEvaluation(self.classes, (self.counts[image],))
        named = {f"Dice {i}": float(d) for i, d in zip(self.classes, one.dice(), strict=True)}
        return {"Dice": one.mean_dice(), **named}

    def describe(self) -> str:
        """Return lines of text with the Dice of each class and their mean."""
        dice = zip(self.classes, self.dice(), strict=True)
        lines = [f"{f'Dice {i}':<10}{d:.3f}" for i, d in dice]
        means = [self.row(number)["Dice"] for number in range(len(self.counts))]
        mean = f"{'Dice':<10}{self.mean_dice():.3f}"
        if len(means) > 1:
            mean += f" pooled, {np.mean(means):.3f} per image"
        return "\n".join([*lines, f"{mean} (mean of the classes)"])
