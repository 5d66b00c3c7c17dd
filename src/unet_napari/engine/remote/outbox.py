"""The events of a job as they leave a host: arrays and files go before them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.engine.arrays import ArrayRef, replace_items, share_in, take
from unet_napari.engine.protocol import (
    TERMINAL,
    ArraysReady,
    JobEvent,
    JobFinished,
    Preview,
    Progress,
    Saved,
    encode,
)
from unet_napari.engine.remote.filling import Filling
from unet_napari.engine.remote.line import MESSAGE, Frame
from unet_napari.engine.remote.messages import FileReady, SentArray, SentFile
from unet_napari.engine.remote.packing import array_frames, file_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.engine.remote.line import Line

__all__ = ["Outbox", "message_frame"]

# Of these, what was not sent yet is out of date when the next one comes.
_LATEST_COUNTS = (Preview, Progress, Saved)


class Outbox:
    """Sends the events of jobs.

    Parameters
    ----------
    line
        Where they go.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self._filling: list[Filling] = []
        self._versions: dict[int, tuple[int, int]] = {}  # of the files that the client has

    def put(self, message: JobEvent, written: Mapping[str, int]) -> None:
        """Send an event behind those before it.

        Parameters
        ----------
        message
            The event. Its arrays are taken at once.
        written
            The files that the job writes and the client wants, by their paths: their numbers.
        """
        event = message.event
        arrays: list[tuple[SentArray, NDArray[Any]]] = []
        is_filled = isinstance(event, ArraysReady)

        def array(reference: ArrayRef) -> SentArray:
            sent = SentArray(next(self._numbers), reference.shape, reference.dtype)
            if is_filled:
                self._filling.append(Filling(sent, share_in(reference)))
            else:
                arrays.append((sent, take(reference)))
            return sent

        def path(text: str) -> object:
            number = written.get(text)
            return text if number is None else SentFile(number)

        if isinstance(event, Progress) and self._filling and event.region is not None:
            self._filling[0].note(event.region)
        changed: JobEvent = replace_items(message, {ArrayRef: array, str: path})
        saved = event.path if isinstance(event, Saved) and event.path in written else None
        frames = self._frames(changed, arrays, dict(written), tuple(self._filling), saved)
        latest = isinstance(event, _LATEST_COUNTS)
        self._line.send(frames, type(event).__name__ if latest else None)
        if isinstance(event, TERMINAL):
            self._filling.clear()

    def leave_files(self, written: Mapping[str, int]) -> None:
        """Send the files of a job whose process has ended before it."""
        for path, number in written.items():
            self._line.send(self._file(Path(path), number))

    def _frames(
        self,
        message: JobEvent,
        arrays: list[tuple[SentArray, NDArray[Any]]],
        written: Mapping[str, int],
        filling: tuple[Filling, ...],
        saved: str | None,
    ) -> Iterator[Frame]:
        event = message.event
        if isinstance(event, Progress) and filling:
            event, parts = filling[0].news(event)
            yield from parts
        elif isinstance(event, JobFinished):
            for one in filling:
                yield from one.rest()
        elif saved is not None:
            yield from self._file(Path(saved), written[saved])
        for sent, data in arrays:
            yield from array_frames(sent, data)
        if isinstance(event, TERMINAL):
            for path, number in written.items():
                yield from self._file(Path(path), number)
        yield message_frame(JobEvent(message.job_id, event))

    def _file(self, path: Path, number: int) -> Iterator[Frame]:
        """Yield the frames of a file, unless the client has it as it is."""
        try:
            status = path.stat()
            version = status.st_mtime_ns, status.st_size
            if self._versions.get(number) == version:
                return
            frames = file_frames(number, path)
        except OSError:  # it was not written yet
            return
        yield from frames
        self._versions[number] = version
        yield message_frame(FileReady(number))


def message_frame(message: object) -> Frame:
    """Return a message as a frame."""
    return Frame(MESSAGE, encode(message).encode())
