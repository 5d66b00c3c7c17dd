"""The one line that says how a training or a segmentation goes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unet_napari.defaults import LONG_RUN
from unet_napari.engine import PaintTaken
from unet_napari.inference.progress import PlanSummary, Progress
from unet_napari.model.info import is_temporary
from unet_napari.system.text import human_size, human_time
from unet_napari.training.events import Resting, Started, Step, Validated

__all__ = [
    "StatusLine",
    "duration_warning",
    "segmentation_line",
    "time_left",
    "training_duration",
    "training_result",
]

_DEVICES = {"cpu": "CPU", "cuda": "GPU", "mps": "Apple GPU"}


class StatusLine:
    """Collects the latest of each event of a training.

    Says for example ``epoch 12/60 · loss 0.21 · AP50 0.74 · 2 min left · CPU``, and of a training
    without an end ``learning · AP50 0.74 · your last stroke is in · CPU``.

    Parameters
    ----------
    live : bool
        Whether the training goes on until it is stopped.
    """

    def __init__(self, *, live: bool = False) -> None:
        self._live = live
        self._started: Started | None = None
        self._step: Step | None = None
        self._validated: Validated | None = None
        self._sent = self._taken = 0  # numbers of strokes
        self._news = ""  # of the latest stroke, until the next validation
        self.resting = False

    def add(self, event: object) -> None:
        """Take note of an event."""
        if isinstance(event, Started):
            self._started = event
        elif isinstance(event, Step):
            self._step, self.resting = event, False
        elif isinstance(event, Validated):
            self._validated = event
            if self._taken == self._sent:
                self._news = ""
        elif isinstance(event, Resting):
            self.resting = True
        elif isinstance(event, PaintTaken):
            self._taken = event.number
            if self._taken == self._sent:
                self._news = "your last stroke is in"

    def add_stroke(self, number: int) -> None:
        """Take note that a stroke was sent to the training."""
        self._sent, self._news = number, "your stroke is on its way"

    def text(self) -> str:
        """Return the line."""
        parts = self._state()
        if self._validated is not None:
            score, name = self._validated.score, self._validated.score_name
            parts.append(self._validated.message if score is None else f"{name} {score:.2f}")
            parts.append(self._validated.verdict)
        parts.append(self._news)
        if self._step is not None and not self._live:
            parts.append(time_left(self._step.seconds_left))
        if self._started is not None:
            parts.append(_DEVICES.get(self._started.device, self._started.device))
            parts.append(self._started.start and f"starts from {self._started.start}")
        return " · ".join(part for part in parts if part)

    def _state(self) -> list[str]:
        if self.resting:
            return ["resting until you paint"]
        if self._live:
            return ["learning"]
        if self._step is None:
            return []
        total = "" if self._step.epochs is None else f"/{self._step.epochs}"
        return [f"epoch {self._step.epoch}{total}", f"loss {self._step.loss:.3g}"]


def training_duration(seconds: float | None) -> str:
    """Say how long a training is going to take; "" if it is short, or None: it has no end."""
    if seconds is None or seconds <= LONG_RUN:
        return ""
    return f"This takes {human_time(seconds)}. Stop at any time: the best model so far is kept."


def training_result(result: Mapping[str, Any], wanted: str) -> str:
    """Say how a training has ended: which model there is, how good it is, and why it ended.

    Parameters
    ----------
    result : mapping
        The result of a `TrainJob`.
    wanted : str
        What the user wanted the model to be called; empty for no wish.
    """
    path = Path(result["model"])
    verdict = result.get("verdict", "")
    if result.get("score") is None:
        judged = f", not judged ({verdict})" if verdict else ""
    else:
        judged = f", {result['score_name']} {result['score']:.2f} on labels that were held out"
        judged += f": {verdict}" if verdict else ""
    said = [f"Model '{path.stem}' saved{judged}."]
    if wanted and wanted != path.stem:
        said.append(f"It has this name because there is a '{wanted}' already.")
    if result.get("step", 0) < result.get("steps", 0):
        best = "the best" if result.get("score") is not None else "kept"
        said.append(
            f"Of {result['steps']:,} steps, the state after step {result['step']:,} is {best}."
        )
    if is_temporary(path):
        said.append(
            f"It lies in a temporary folder, '{path.parent}', which the system may clear: copy it."
        )
    return " ".join([*said, result["reason"]])


def segmentation_line(progress: Progress, plan: PlanSummary | None) -> str:
    """Say how a segmentation goes, such as ``streamed · 310 MiB · 2 min left · CPU``."""
    if plan is None:
        return progress.stage
    parts = [plan.way, human_size(plan.memory)]
    if plan.by_frame:
        parts.insert(0, "each time point scaled by itself")
    if progress.seconds_left is not None:
        parts.append(time_left(progress.seconds_left))
    parts.append(_DEVICES.get(plan.device, plan.device))
    return " · ".join(parts)


def duration_warning(plan: PlanSummary, *, resumable: bool) -> str:
    """Say how long a segmentation takes, and whether a stopped one goes on; "" if it is short."""
    if plan.seconds is None or plan.seconds <= LONG_RUN:
        return ""
    going_on = (
        "If it is stopped, start it again: it goes on where it was."
        if resumable
        else "If it is stopped, all is lost. With a file under Result, Save to, a run that was "
        "stopped goes on where it was."
    )
    return f"This takes about {human_time(plan.seconds)}. {going_on}"


def time_left(seconds: float) -> str:
    """Return a duration as one reads it: ``40 s left``, ``2 min left``, ``1 h 20 min left``."""
    return f"{human_time(max(0.0, seconds))} left"
