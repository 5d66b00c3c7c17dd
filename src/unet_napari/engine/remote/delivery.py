"""What comes back from a host: events whose arrays and files are of this computer again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.engine.arrays import replace_items
from unet_napari.engine.protocol import TERMINAL, ArraysReady, JobEvent, JobFailed
from unet_napari.engine.remote.job_files import put_in_place
from unet_napari.engine.remote.messages import FileReady, SentArray, SentFile
from unet_napari.engine.remote.packing import Inbox
from unet_napari.errors import UnetNapariError

if TYPE_CHECKING:
    from unet_napari.engine.remote.job_files import WantedFile
    from unet_napari.engine.shared import SharedFolder

__all__ = ["Delivery"]


class Delivery:
    """Puts what comes in where it belongs.

    Parameters
    ----------
    folder
        The client's shared folder, for arrays and for files that are not whole yet.
    wanted
        The files that are to come back.
    """

    def __init__(self, folder: SharedFolder, wanted: Mapping[int, WantedFile]) -> None:
        self._wanted = wanted
        self._inbox = Inbox(folder, Path(folder.folders[-1]))
        self._filling: list[int] = []
        self._had: set[int] = set()  # files that came in before
        self._trouble: UnetNapariError | None = None

    def take(self, content: bytes) -> None:
        """Take in a part of an array or a file."""
        try:
            self._inbox.take(content)
        except UnetNapariError as error:  # there is no room; the job's end says so
            self._trouble = error

    def message(self, message: object) -> JobEvent | None:
        """Take in a message; return it as the client understands it, None if it is not for it."""
        try:
            if isinstance(message, FileReady):
                wanted = self._wanted[message.number]
                whole = self._inbox.file(message.number)
                put_in_place(whole, wanted, first=message.number not in self._had)
                self._had.add(message.number)
                return None
            assert isinstance(message, JobEvent)  # noqa: S101  nothing else is said
            return self._event(message)
        except UnetNapariError as error:
            if isinstance(message, JobEvent) and isinstance(message.event, TERMINAL):
                self._trouble = None
                return JobEvent(message.job_id, JobFailed(str(error), user_error=True))
            self._trouble = error  # the job's end says so
        return None

    def _event(self, message: JobEvent) -> JobEvent:
        filled = isinstance(message.event, ArraysReady)

        def array(sent: SentArray) -> object:
            if filled:
                self._filling.append(sent.number)
            return self._inbox.array(sent, more=filled)

        def file(sent: SentFile) -> str:
            return str(self._wanted[sent.number].path)

        changed: JobEvent = replace_items(message, {SentArray: array, SentFile: file})
        if isinstance(message.event, TERMINAL):
            while self._filling:
                self._inbox.forget(self._filling.pop())
            trouble, self._trouble = self._trouble, None
            if trouble is not None:
                return JobEvent(message.job_id, JobFailed(str(trouble), user_error=True))
        return changed
