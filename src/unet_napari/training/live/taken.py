"""What new paint has changed in a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unet_napari.training.data.patches import NewPaint
    from unet_napari.training.data.sample import Sample

__all__ = ["Taken", "only_known", "same_labels"]


@dataclass(frozen=True)
class Taken:
    """What has changed by new paint.

    Attributes
    ----------
    new
        Where it is.
    judged
        Whether what is held out has changed.
    divided
        Whether something is held out for the first time.
    unknown
        Classes among it that the task does not know.
    """

    new: tuple[NewPaint, ...]
    judged: bool
    divided: bool
    unknown: frozenset[int]


def same_labels(some: Sequence[Sample], others: Sequence[Sample]) -> bool:
    """Tell whether the labels of samples are equal."""
    return len(some) == len(others) and all(
        a is b
        or (
            a.origin == b.origin
            and np.array_equal(a.labels, b.labels)
            and np.array_equal(a.annotated, b.annotated)
        )
        for a, b in zip(some, others, strict=True)
    )


def only_known(sample: Sample, classes: Sequence[int], unknown: set[int]) -> Sample:
    """Return a sample of which classes that the task does not know are not annotated.

    Parameters
    ----------
    sample
        Any sample.
    classes
        The classes that are known.
    unknown
        Is told of those that are not.
    """
    strange = sample.annotated & ~np.isin(sample.labels, classes)
    if not strange.any():
        return sample
    unknown.update(np.unique(sample.labels[strange]).tolist())
    return replace(sample, annotated=sample.annotated & ~strange)
