"""What the leader tells a helper: lines of JSON, of which none can run code."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["HelperJob", "StepRequest", "parsed_line", "written_line"]


@dataclass(frozen=True)
class HelperJob:
    """What a helper is to help with, its first line.

    Attributes
    ----------
    rank, size
        Number of the helper from 1 on, and of all processes.
    device
        Its device, such as ``"cuda:1"``.
    threads
        Threads of its processor; 0: as many as it likes.
    folder
        Folder in which the processes find each other.
    longest
        The most numbers that are added up at once.
    mixed
        Whether the network computes in bf16.
    network, options
        Name and options of the network.
    task
        The task, as by `Task.to_dict`.
    """

    rank: int
    size: int
    device: str
    threads: int
    folder: str
    longest: int
    mixed: bool
    network: str
    options: dict[str, Any]
    task: dict[str, Any]


@dataclass(frozen=True)
class StepRequest:
    """One step.

    Attributes
    ----------
    image, labels
        Shapes of the parts of the batch.
    dtype
        Type of the labels, such as ``"int64"``.
    seed
        Seed of the random numbers of dropout.
    """

    image: list[int]
    labels: list[int]
    dtype: str
    seed: int


def written_line(message: HelperJob | StepRequest) -> bytes:
    """Return a message as a line."""
    return json.dumps(asdict(message)).encode() + b"\n"


def parsed_line(kind: type[Any], line: bytes) -> Any:  # noqa: ANN401  an object of that kind
    """Return the message of a line."""
    return kind(**json.loads(line))
