"""Agreement of predicted labels with the true ones. It needs NumPy and SciPy only.

Objects are matched through a sparse table of overlaps, so that thousands of them cost little
and the size of their ids costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

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
class Match:
    """Overlaps between the true and the predicted objects of one image.

    Attributes
    ----------
    true_area, predicted_area
        Number of pixels of each object, ``(n_true,)`` and ``(n_predicted,)``.
    true_index, predicted_index, overlap
        Pairs that share pixels: their positions in the two arrays, and the shared pixels.
    """

    true_area: NDArray[np.int64]
    predicted_area: NDArray[np.int64]
    true_index: NDArray[np.int64]
    predicted_index: NDArray[np.int64]
    overlap: NDArray[np.int64]

    @property
    def true_count(self) -> int:
        """Number of true objects."""
        return len(self.true_area)

    @property
    def predicted_count(self) -> int:
        """Number of predicted objects."""
        return len(self.predicted_area)

    @property
    def shared_foreground(self) -> int:
        """Number of pixels that belong to an object in both."""
        return int(self.overlap.sum())

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each pair."""
        areas = self.true_area[self.true_index] + self.predicted_area[self.predicted_index]
        return self.overlap / (areas - self.overlap)

    def matched_iou(self, threshold: float) -> NDArray[np.float64]:
        """Return the IoU of the matched pairs, each of which is at least `threshold`.

        Objects are matched one to one: above 0.5 a pair is the only one of its objects (Kirillov et
        al. 2019). Where pairs contend, as many as possible are matched, and then the largest IoU.
        """
        iou = self.iou
        good = iou >= threshold
        t, p, iou = self.true_index[good], self.predicted_index[good], iou[good]
        contended = (np.bincount(t, minlength=self.true_count)[t] > 1) | (
            np.bincount(p, minlength=self.predicted_count)[p] > 1
        )
        return np.concatenate(
            [iou[~contended], _assign(t[contended], p[contended], iou[contended])]
        )

    @property
    def splits(self) -> int:
        """Number of true objects that hold most of two or more predicted objects."""
        share = self.overlap / self.predicted_area[self.predicted_index]
        held = np.bincount(self.true_index[share > 0.5], minlength=self.true_count)
        return int(np.count_nonzero(held > 1))

    @property
    def merges(self) -> int:
        """Number of predicted objects that hold most of two or more true objects."""
        share = self.overlap / self.true_area[self.true_index]
        held = np.bincount(self.predicted_index[share > 0.5], minlength=self.predicted_count)
        return int(np.count_nonzero(held > 1))


def match(
    true: NDArray[Any], predicted: NDArray[Any], *, annotated: NDArray[Any] | None = None
) -> Match:
    """Tabulate the overlaps of two label images.

    Parameters
    ----------
    true, predicted
        Integer labels of equal shape, with ids of any size; 0 is background.
    annotated
        Mask of the pixels that are compared, bool, of the same shape. Predicted objects that lie
        mostly outside are left out, because nobody said whether they are right.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if true.shape != predicted.shape:
        raise ValueError(f"shapes differ: {true.shape} and {predicted.shape}")
    if annotated is not None:
        where = np.asarray(annotated, bool)
        true = np.where(where, true, 0)
        predicted = _parts_inside(predicted, where)
    t, p, length = _runs(true.ravel(), predicted.ravel())
    true_ids, t = np.unique(t, return_inverse=True)
    predicted_ids, p = np.unique(p, return_inverse=True)
    pairs, pair = np.unique(t * len(predicted_ids) + p, return_inverse=True)
    overlap = np.bincount(pair, length).astype(np.int64)
    t, p = pairs // len(predicted_ids), pairs % len(predicted_ids)
    true_area = np.bincount(t, overlap, minlength=len(true_ids)).astype(np.int64)
    predicted_area = np.bincount(p, overlap, minlength=len(predicted_ids)).astype(np.int64)
    objects = (true_ids[t] != 0) & (predicted_ids[p] != 0)
    return Match(
        true_area[true_ids != 0],
        predicted_area[predicted_ids != 0],
        (np.cumsum(true_ids != 0) - 1)[t[objects]],
        (np.cumsum(predicted_ids != 0) - 1)[p[objects]],
        overlap[objects],
    )


def _parts_inside(labels: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the parts inside a mask of those objects of which at least half is inside."""
    ids, area = np.unique(labels, return_counts=True)
    inner, inner_area = np.unique(labels[where], return_counts=True)
    kept = inner[2 * inner_area >= area[np.searchsorted(ids, inner)]]
    return np.where(where & np.isin(labels, kept), labels, 0)


def _runs(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Return the values and the lengths of the runs in which two arrays are both constant."""
    change = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    starts = np.concatenate([[0], np.flatnonzero(change) + 1])[: a.size]
    return a[starts], b[starts], np.diff(starts, append=a.size)


def _assign(
    t: NDArray[np.int64], p: NDArray[np.int64], iou: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the IoU of as many contending pairs as possible, with the largest sum of IoU."""
    rows, r = np.unique(t, return_inverse=True)
    columns, c = np.unique(p, return_inverse=True)
    from scipy.optimize import linear_sum_assignment  # It takes 0.3 s to load.

    table = np.zeros((len(rows), len(columns)))
    table[r, c] = iou
    # All IoU together gain less than one more pair does, so the number of pairs comes first.
    gain = (table > 0) + table / (2 * max(1, min(table.shape)))
    chosen: NDArray[np.float64] = table[linear_sum_assignment(gain, maximize=True)]
    return chosen[chosen > 0]


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
        one = Evaluation((self.matches[image],))
        return {
            "true": one.true_count,
            "predicted": one.predicted_count,
            **{f"AP{100 * t:.0f}": one.average_precision(t) for t in _THRESHOLDS},
            "F1": one.f1(),
            "PQ": one.panoptic_quality(),
            "splits": one.splits,
            "merges": one.merges,
            "Dice": one.dice,
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
