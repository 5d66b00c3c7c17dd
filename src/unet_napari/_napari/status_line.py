"""The one line that says how a training or a segmentation goes."""

from collections.abc import Mapping
from typing import Any

from unet_napari.inference.progress import PlanSummary, Progress
from unet_napari.training.events import Started, Step, Validated
from unet_napari.words import human_size, human_time

__all__ = ["StatusLine", "segmentation_line", "time_left"]

_DEVICES = {"cpu": "CPU", "cuda": "GPU", "mps": "Apple GPU"}


class StatusLine:
    """Collects the latest of each event of a training.

    Says for example ``epoch 12/60 · loss 0.21 · AP50 0.74 · 2 min left · CPU``.
    """

    def __init__(self) -> None:
        self._started: Started | None = None
        self._step: Step | None = None
        self._validated: Validated | None = None

    def add(self, event: object) -> None:
        """Take note of an event."""
        if isinstance(event, Started):
            self._started = event
        elif isinstance(event, Step):
            self._step = event
        elif isinstance(event, Validated):
            self._validated = event

    def text(self) -> str:
        """Return the line."""
        parts = []
        if self._step is not None:
            total = "" if self._step.epochs is None else f"/{self._step.epochs}"
            parts = [f"epoch {self._step.epoch}{total}", f"loss {self._step.loss:.3g}"]
        if self._validated is not None:
            score, name = self._validated.score, self._validated.score_name
            parts.append(self._validated.message if score is None else f"{name} {score:.2f}")
        if self._step is not None:
            parts.append(time_left(self._step.seconds_left))
        if self._started is not None:
            parts.append(_DEVICES.get(self._started.device, self._started.device))
        return " · ".join(part for part in parts if part)

    @staticmethod
    def score(result: Mapping[str, Any]) -> str:
        """Return how the score of a finished model is told, with a comma in front."""
        if result.get("score") is None:
            return ""
        return f", {result['score_name']} {result['score']:.2f} on labels that were held out"


def segmentation_line(progress: Progress, plan: PlanSummary | None) -> str:
    """Say how a segmentation goes, such as ``streamed · 310 MiB · 2 min left · CPU``."""
    if plan is None:
        return progress.stage
    parts = [plan.way, human_size(plan.memory)]
    if progress.seconds_left is not None:
        parts.append(time_left(progress.seconds_left))
    parts.append(_DEVICES.get(plan.device, plan.device))
    return " · ".join(parts)


def time_left(seconds: float) -> str:
    """Return a duration as one reads it: ``40 s left``, ``2 min left``, ``1 h 20 min left``."""
    return f"{human_time(max(0.0, seconds))} left"
