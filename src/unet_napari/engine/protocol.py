"""What client and worker say to each other: one dataclass per line of JSON. Free of torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from unet_napari.folder_run.image_line import ImageLine
from unet_napari.inference.progress import PlanSummary, Progress
from unet_napari.training.events import Resting, Started, Step, Validated

__all__ = [
    "TERMINAL",
    "ArraysReady",
    "Cancel",
    "Command",
    "ConnectionChanged",
    "Event",
    "ImageLine",
    "JobCancelled",
    "JobEvent",
    "JobFailed",
    "JobFinished",
    "JobWarning",
    "PlanSummary",
    "Preview",
    "Progress",
    "Resting",
    "Saved",
    "Start",
    "Started",
    "Step",
    "Validated",
    "decode",
    "encode",
    "message",
]

C = TypeVar("C")

_CLASS = "$class"  # the key that says which dataclass an object is
_VOCABULARY: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (Started, Step, Validated, Resting, Progress, PlanSummary, ImageLine)
}


def message(cls: type[C]) -> type[C]:
    """Let a frozen dataclass travel between client and worker; use as a decorator."""
    _VOCABULARY[cls.__name__] = cls
    return cls


def encode(value: object) -> str:
    """Return a message as one line of JSON, without the line's end.

    Raises
    ------
    TypeError
        If it holds anything but JSON values and dataclasses marked with `message`.
    """
    return json.dumps(value, default=_tagged, separators=(",", ":"))


def decode(line: str | bytes) -> Any:  # noqa: ANN401  any class of the vocabulary
    """Return the message of a line; sequences come back as tuples.

    Raises
    ------
    ValueError
        If the line is not a message of this protocol.
    """
    try:
        return _tuples(json.loads(line, object_hook=_untagged))
    except (ValueError, TypeError, RecursionError) as error:  # TypeError: other fields
        raise ValueError(f"not a message of the engine: {error}") from error


def _tagged(value: Any) -> dict[str, Any]:  # noqa: ANN401  whatever JSON does not know
    name = type(value).__name__
    if _VOCABULARY.get(name) is not type(value):
        raise TypeError(f"a {name} cannot be sent to or from the engine")
    items = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    return {_CLASS: name, **items}


def _untagged(content: dict[str, Any]) -> Any:  # noqa: ANN401
    if _CLASS not in content:
        return {key: _tuples(value) for key, value in content.items()}
    name = content.pop(_CLASS)
    if name not in _VOCABULARY:
        raise ValueError(f"unknown message {name!r}")
    return _VOCABULARY[name](**{key: _tuples(value) for key, value in content.items()})


def _tuples(value: Any) -> Any:  # noqa: ANN401
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


# From client to worker.


@message
@dataclass(frozen=True)
class Start:
    """Begin a job; ``job`` is itself encoded, as the worker may still be importing its class."""

    job_id: int
    job: str


@message
@dataclass(frozen=True)
class Command:
    """Tell something to a running job; arrays in it belong to the worker from now on."""

    job_id: int
    command: Any


@message
@dataclass(frozen=True)
class Cancel:
    """Ask a job to end."""

    job_id: int


# From worker to client.


@message
@dataclass(frozen=True)
class JobEvent:
    """An event of a job; arrays in it belong to the client from now on."""

    job_id: int
    event: Any


# Events of a job, besides those of training and inference.


@message
@dataclass(frozen=True)
class JobWarning:
    """The result will be valid, but the user should know this; each text is sent once a job."""

    message: str


@message
@dataclass(frozen=True)
class Preview:
    """The present network's labels of the region that the viewer shows.

    Attributes
    ----------
    step
        The training step after which it was made.
    key
        The ``key`` of the `PreviewRequest` that it answers.
    labels
        Integer labels, of the request's spatial shape.
    doubtful
        A `DoubtfulObject` for each object that is worth a look, the most doubtful first.
    """

    step: int
    key: str
    labels: Any
    doubtful: tuple[Any, ...] = ()


@message
@dataclass(frozen=True)
class ArraysReady:
    """The arrays that a segmentation fills in, sent before it begins.

    They are whole when the job has ended with `JobFinished`, and of no use if it ends otherwise.
    The receiver and the engine see the same memory; ``Progress.region`` says what is new in it.

    Attributes
    ----------
    labels
        uint32, of the image's free axes without C, T first.
    maps
        Probability maps, float32 ``(K, *labels.shape)``; None if they were not asked for.
    map_names
        What each map shows.
    """

    labels: Any
    maps: Any = None
    map_names: tuple[str, ...] = ()


@message
@dataclass(frozen=True)
class Saved:
    """A model of the training is in its file; a job that is killed later leaves it there.

    Attributes
    ----------
    path
        The file.
    score, score_name
        The score and score name of the weights in the file; None where they were not judged.
    step
        After which step the network had these weights.
    verdict
        What the score means, or what a score needs; see `unet_napari.training.verdict`.
    """

    path: str
    score: float | None
    score_name: str
    step: int
    verdict: str = ""

    def result(self, steps: int, reason: str, *, stopped: bool) -> dict[str, Any]:
        """Return the result of a training that has ended after so many steps."""
        return {
            "model": self.path,
            "score": self.score,
            "score_name": self.score_name,
            "step": self.step,
            "steps": steps,
            "verdict": self.verdict,
            "stopped": stopped,
            "reason": reason,
        }


@message
@dataclass(frozen=True)
class ConnectionChanged:
    """The connection to the computer that the job runs on was lost, or is back."""

    lost: bool
    message: str


@message
@dataclass(frozen=True)
class JobFinished:
    """The job is done; what it returned."""

    result: Mapping[str, Any] = field(default_factory=dict)


@message
@dataclass(frozen=True)
class JobFailed:
    """The job ended with an error.

    Attributes
    ----------
    message
        For the user.
    user_error
        Whether the user can put it right; otherwise it is a defect of ours.
    details
        The traceback or the engine's last words, for a bug report.
    """

    message: str
    user_error: bool
    details: str = ""


@message
@dataclass(frozen=True)
class JobCancelled:
    """The job ended because it was asked to."""


TERMINAL = (JobFinished, JobFailed, JobCancelled)
"""Exactly one of these ends every job."""

Event = (
    Started
    | Step
    | Validated
    | Resting
    | Progress
    | ArraysReady
    | Preview
    | ImageLine
    | Saved
    | JobWarning
    | ConnectionChanged
    | JobFinished
    | JobFailed
    | JobCancelled
)
