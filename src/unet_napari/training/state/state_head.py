"""What can be told of a training that was stopped without reading its weights. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PairHead", "StateHead", "TrainingCurve"]


@dataclass(frozen=True)
class TrainingCurve:
    """What a training has reported, to be drawn again.

    Attributes
    ----------
    losses
        Steps and losses; of a long training not every step.
    scores
        Steps and scores.
    """

    losses: tuple[tuple[int, float], ...]
    scores: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class PairHead:
    """An image that was trained on.

    Attributes
    ----------
    name
        What the image was called.
    source
        File of the image; None if its pixels may be others than those of a file.
    fingerprint
        Fingerprint of its pixels, see `unet_napari.training.data.identity`.
    shape
        Shape of its labels.
    painted
        Number of its pixels that are painted.
    background
        Label numbers that mean background.
    removed
        Whether it has left the training.
    """

    name: str
    source: str | None
    fingerprint: str
    shape: tuple[int, ...]
    painted: int
    background: tuple[int, ...] = ()
    removed: bool = False


@dataclass(frozen=True)
class StateHead:
    """What can be told of a training that was stopped, without reading its weights.

    Attributes
    ----------
    model_name, model_path
        What the user calls the model, and its file.
    task, ndim
        Values of a `TrainConfig`.
    step, seconds
        Number of steps that were made, and the time that they took.
    score, score_name
        Score of the model in the file; None where it was not judged.
    curve
        Losses and scores so far.
    config
        ``TrainConfig.to_dict()``.
    images
        The images that were trained on, in the order of the pairs.
    """

    model_name: str
    model_path: str
    task: str
    ndim: int
    step: int
    seconds: float
    score: float | None
    score_name: str
    curve: TrainingCurve
    config: Mapping[str, Any]
    images: tuple[PairHead, ...]

    @property
    def painted(self) -> tuple[int, ...]:
        """How many pixels of each pair are painted."""
        return tuple(image.painted for image in self.images)
