"""What the two ends of a line say to each other, besides the messages of the engine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unet_napari.engine.protocol import encode, message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "TAG",
    "ArrayPart",
    "EndWorker",
    "FilePart",
    "FileReady",
    "Leave",
    "OfferedArray",
    "SentArray",
    "SentFile",
    "WorkerEnded",
    "replace_tagged",
]

TAG = "$class"


@message
@dataclass(frozen=True)
class SentArray:
    """Stands for an array whose parts were sent, or are yet to be sent; the rest is zeros."""

    number: int
    shape: tuple[int, ...]
    dtype: str


@message
@dataclass(frozen=True)
class OfferedArray:
    """Stands for an array whose blocks are sent when they are asked for, see `FetchBlocks`."""

    number: int
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[Any, ...] = ()


@message
@dataclass(frozen=True)
class SentFile:
    """Stands for a file: one that was sent, or one that is to be written and sent back.

    Attributes
    ----------
    number
        Number of the file.
    name
        Its name without a folder.
    wanted
        Whether it is to be sent back.
    """

    number: int
    name: str = ""
    wanted: bool = False


@message
@dataclass(frozen=True)
class ArrayPart:
    """Which part of an array the bytes behind this are."""

    number: int
    shape: tuple[int, ...]
    dtype: str
    start: tuple[int, ...]
    extent: tuple[int, ...]


@message
@dataclass(frozen=True)
class FilePart:
    """Which part of a file the bytes behind this are; its first one begins it anew."""

    number: int
    offset: int


@message
@dataclass(frozen=True)
class FileReady:
    """All parts of a file have been sent."""

    number: int


@message
@dataclass(frozen=True)
class EndWorker:
    """To the attendant: end the engine process now, unless it is done with this job."""

    job_id: int


@message
@dataclass(frozen=True)
class Leave:
    """To the attendant: nobody comes back, end with the engine process and all files."""


@message
@dataclass(frozen=True)
class WorkerEnded:
    """From the attendant: the engine process has ended, and it ends, too."""

    how: str
    last_words: str


def replace_tagged(text: str, replace: Mapping[str, Callable[[dict[str, Any]], Any]]) -> str:
    """Replace the objects of some classes in a message that may be of a class unknown here.

    Parameters
    ----------
    text
        The message, as JSON.
    replace
        For the names of classes, what makes something else of their fields.
    """

    def changed(content: dict[str, Any]) -> Any:  # noqa: ANN401
        function = replace.get(content.get(TAG, ""))
        return content if function is None else function(content)

    return encode(json.loads(text, object_hook=changed))
