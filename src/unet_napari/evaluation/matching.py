"""Which predicted object is which true one. It needs NumPy and SciPy only.

Objects are matched through a sparse table of overlaps, so that thousands of them cost little
and the size of their ids costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Match", "match"]


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
        """Return the IoU of the matched pairs, see `matched_pairs`."""
        return self.iou[self.matched_pairs(threshold)]

    def matched_pairs(self, threshold: float) -> NDArray[np.int64]:
        """Return the matched pairs, whose IoU is at least `threshold`, as places in `overlap`.

        Objects are matched one to one: above 0.5 a pair is the only one of its objects (Kirillov et
        al. 2019). Where pairs contend, as many as possible are matched, and then the largest IoU.
        """
        iou = self.iou
        good = np.flatnonzero(iou >= threshold)
        t, p, iou = self.true_index[good], self.predicted_index[good], iou[good]
        contended = (np.bincount(t, minlength=self.true_count)[t] > 1) | (
            np.bincount(p, minlength=self.predicted_count)[p] > 1
        )
        chosen = _assign(t[contended], p[contended], iou[contended])
        return np.concatenate([good[~contended], good[contended][chosen]])

    @property
    def split_objects(self) -> NDArray[np.bool_]:
        """Which true objects hold most of two or more predicted objects."""
        share = self.overlap / self.predicted_area[self.predicted_index]
        return np.bincount(self.true_index[share > 0.5], minlength=self.true_count) > 1

    @property
    def merged_objects(self) -> NDArray[np.bool_]:
        """Which predicted objects hold most of two or more true objects."""
        share = self.overlap / self.true_area[self.true_index]
        return np.bincount(self.predicted_index[share > 0.5], minlength=self.predicted_count) > 1

    @property
    def splits(self) -> int:
        """Number of true objects that hold most of two or more predicted objects."""
        return int(np.count_nonzero(self.split_objects))

    @property
    def merges(self) -> int:
        """Number of predicted objects that hold most of two or more true objects."""
        return int(np.count_nonzero(self.merged_objects))


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
) -> NDArray[np.int64]:
    """Return the places of as many contending pairs as possible, with the largest sum of IoU."""
    rows, r = np.unique(t, return_inverse=True)
    columns, c = np.unique(p, return_inverse=True)
    from scipy.optimize import linear_sum_assignment  # It takes 0.3 s to load.

    table = np.zeros((len(rows), len(columns)))
    table[r, c] = iou
    place = np.full(table.shape, -1)
    place[r, c] = np.arange(len(iou))
    # All IoU together gain less than one more pair does, so the number of pairs comes first.
    gain = (table > 0) + table / (2 * max(1, min(table.shape)))
    chosen: NDArray[np.int64] = place[linear_sum_assignment(gain, maximize=True)]
    return chosen[chosen >= 0]
