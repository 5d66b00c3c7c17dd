"""What can be told of a training that was stopped without reading its weights. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
        File that the image was read from, whose pixels may be others by now; None for none.
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
    axes
        Axes of its labels; "" in files of versions that did not keep them.
    image_axes, fixed, pixel_size
        Axes of the image, those that it was held at an index of, and micrometres by axis.
    """

    name: str
    source: str | None
    fingerprint: str
    shape: tuple[int, ...]
    painted: int
    background: tuple[int, ...] = ()
    removed: bool = False
    axes: str = ""
    image_axes: str = ""
    fixed: Mapping[str, int] = field(default_factory=dict)
    pixel_size: Mapping[str, float] = field(default_factory=dict)


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
    course
        How the training went, see `Trainer.course`; empty in files of versions that did not keep
        it.
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
    course: Mapping[str, Any] = field(default_factory=dict)

    @property
    def painted(self) -> tuple[int, ...]:
        """How many pixels of each pair are painted."""
        return tuple(image.painted for image in self.images)
