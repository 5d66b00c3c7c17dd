"""Agreement of predicted labels with the true ones. It needs NumPy and SciPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from unet_napari.evaluation.matching import Match, match

__all__ = [
    "Evaluation",
    "Match",
    "as_list",
    "average_precision",
    "class_dice",
    "evaluate",
    "match",
]

if TYPE_CHECKING:
    Num = TypeVar("Num", bound=np.generic)

_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)  # IoU thresholds that are reported

Labels: TypeAlias = NDArray[Any] | Sequence[NDArray[Any]]


def as_list(images: NDArray[Num] | Sequence[NDArray[Num]]) -> list[NDArray[Num]]:
    """Return a list of images; an array is one image."""
    return [images] if isinstance(images, np.ndarray) else [np.asarray(i) for i in images]


@dataclass(frozen=True)
class Evaluation:
    """Agreement over some images, whose counts are pooled, so that each object counts as much.

    Where there is no object in the truth and none was predicted, the agreement is perfect: 1.

    Attributes
    ----------
    matches
        Overlaps of the objects, one for each image.
    """

    matches: tuple[Match, ...]

    @property
    def true_count(self) -> int:
        """Number of true objects."""
        return sum(m.true_count for m in self.matches)

    @property
    def predicted_count(self) -> int:
        """Number of predicted objects."""
        return sum(m.predicted_count for m in self.matches)

    def _hits(self, threshold: float) -> tuple[int, int, float]:
        """Return the number of matched pairs and of objects left over, and the sum of the IoU."""
        matched = [m.matched_iou(threshold) for m in self.matches]
        hits = sum(len(iou) for iou in matched)
        left = self.true_count + self.predicted_count - 2 * hits
        return hits, left, float(sum(iou.sum() for iou in matched))

    def average_precision(self, threshold: float = 0.5) -> float:
        """Return ``TP / (TP + FP + FN)`` at an IoU threshold.

        It is the measure of the 2018 Data Science Bowl (Caicedo et al. 2019), called AP by StarDist
        and Cellpose too.
        """
        hits, left, _ = self._hits(threshold)
        return _ratio(hits, hits + left)

    def per_image_precision(self, threshold: float = 0.5) -> list[float]:
        """Return the `average_precision` of each image, whose mean some papers report."""
        return [Evaluation((m,)).average_precision(threshold) for m in self.matches]

    def f1(self, threshold: float = 0.5) -> float:
        """Return ``2 TP / (2 TP + FP + FN)`` at an IoU threshold."""
        hits, left, _ = self._hits(threshold)
        return _ratio(2 * hits, 2 * hits + left)

    def panoptic_quality(self, threshold: float = 0.5) -> float:
        """Return the sum of matched IoU over ``TP + FP / 2 + FN / 2`` (Kirillov et al. 2019)."""
        hits, left, iou = self._hits(threshold)
        return _ratio(iou, hits + left / 2)

    @property
    def splits(self) -> int:
        """Number of true objects that hold most of two or more predicted objects."""
        return sum(m.splits for m in self.matches)

    @property
    def merges(self) -> int:
        """Number of predicted objects that hold most of two or more true objects."""
        return sum(m.merges for m in self.matches)

    @property
    def dice(self) -> float:
        """Dice of foreground against background, over all pixels."""
        shared = sum(int(m.shared_foreground) for m in self.matches)
        both = sum(int(m.true_area.sum() + m.predicted_area.sum()) for m in self.matches)
        return _ratio(2 * shared, both)

    def row(self, image: int) -> dict[str, float]:
        """Return the measures of one image by name, for a table."""
        return Evaluation((self.matches[image],)).scores()

    def scores(self) -> dict[str, float]:
        """Return all measures by name, pooled over the images."""
        return {
            "true": self.true_count,
            "predicted": self.predicted_count,
            **{f"AP{100 * t:.0f}": self.average_precision(t) for t in _THRESHOLDS},
            "F1": self.f1(),
            "PQ": self.panoptic_quality(),
            "splits": self.splits,
            "merges": self.merges,
            "Dice": self.dice,
        }

    def describe(self) -> str:
        """Return lines of text with all measures, pooled over the images, and the mean of AP."""
        lines = [f"{'objects':<10}{self.true_count} true, {self.predicted_count} predicted"]
        lines += [f"{f'AP {t}':<10}{self._precision_text(t)}" for t in _THRESHOLDS]
        lines += [
            f"{'F1 0.5':<10}{self.f1():.3f}",
            f"{'PQ':<10}{self.panoptic_quality():.3f}",
            f"{'splits':<10}{self.splits}",
            f"{'merges':<10}{self.merges}",
            f"{'Dice':<10}{self.dice:.3f} (foreground)",
        ]
        return "\n".join(lines)

    def _precision_text(self, threshold: float) -> str:
        pooled = f"{self.average_precision(threshold):.3f}"
        if len(self.matches) == 1:
            return pooled
        return f"{pooled} pooled, {np.mean(self.per_image_precision(threshold)):.3f} per image"


def evaluate(
    true: Labels, predicted: Labels, annotated: NDArray[Any] | Sequence[NDArray[Any]] | None = None
) -> Evaluation:
    """Compare label images, given as in `match`; each argument is an array or a list of arrays."""
    truth, found = as_list(true), as_list(predicted)
    where = [None] * len(truth) if annotated is None else as_list(annotated)
    images = zip(truth, found, where, strict=True)
    return Evaluation(tuple(match(t, p, annotated=a) for t, p, a in images))


def average_precision(true: Labels, predicted: Labels, threshold: float = 0.5) -> float:
    """Return `Evaluation.average_precision` of one array, or a list of arrays, each."""
    return evaluate(true, predicted).average_precision(threshold)


def class_dice(true: NDArray[Any], predicted: NDArray[Any], label: int = 1) -> float:
    """Return the Dice of the pixels that carry `label`: ``2 |A and B| / (|A| + |B|)``."""
    a, b = true == label, predicted == label
    both = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return _ratio(2 * int(np.count_nonzero(a & b)), both)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 1.0
