"""Which objects of a result are wrong, and in which way. It needs NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.evaluation.matching import Match, match

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ERROR_KINDS", "ObjectErrors", "find_errors"]

ERROR_KINDS = ("missed", "extra", "split", "merged")
"""The ways in which an object is wrong, see `ObjectErrors`."""


@dataclass(frozen=True)
class ObjectErrors:
    """The numbers of the objects that are wrong, ascending.

    Attributes
    ----------
    missed
        True objects that no predicted one matches, and that are neither split nor merged.
    extra
        Predicted objects that match no true one, and are neither merged nor pieces of a split one.
    split
        True objects that hold most of two or more predicted objects.
    merged
        Predicted objects that hold most of two or more true objects.
    """

    missed: NDArray[np.integer]
    extra: NDArray[np.integer]
    split: NDArray[np.integer]
    merged: NDArray[np.integer]


def find_errors(
    true: NDArray[Any], predicted: NDArray[Any], *, threshold: float = 0.5
) -> tuple[Match, ObjectErrors]:
    """Compare two label images of one time point.

    Parameters
    ----------
    true, predicted : ndarray of int
        Labels of equal shape; 0 is background.
    threshold : float
        Least IoU of a pair that matches.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    found = match(true, predicted)
    true_ids, predicted_ids = (ids[ids != 0] for ids in map(np.unique, (true, predicted)))
    pairs = found.matched_pairs(threshold)
    split, merged = found.split_objects, found.merged_objects
    inside_true = found.overlap > 0.5 * found.predicted_area[found.predicted_index]
    inside_predicted = found.overlap > 0.5 * found.true_area[found.true_index]
    told_true = split.copy()  # said by a match, a split or a merge
    told_true[found.true_index[pairs]] = True
    told_true[found.true_index[inside_predicted & merged[found.predicted_index]]] = True
    told_predicted = merged.copy()
    told_predicted[found.predicted_index[pairs]] = True
    told_predicted[found.predicted_index[inside_true & split[found.true_index]]] = True
    return found, ObjectErrors(
        missed=true_ids[~told_true],
        extra=predicted_ids[~told_predicted],
        split=true_ids[split],
        merged=predicted_ids[merged],
    )
