"""A job and its commands as they arrive on a host: arrays and files are of that computer now."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.engine.arrays import ArrayRef, replace_items
from unet_napari.engine.live_requests import PairAdded
from unet_napari.engine.protocol import Start
from unet_napari.engine.remote.messages import (
    TAG,
    OfferedArray,
    SentArray,
    SentFile,
    replace_tagged,
)
from unet_napari.engine.remote.packing import Inbox
from unet_napari.errors import EngineError, UnetNapariError

if TYPE_CHECKING:
    from collections.abc import Callable

    from unet_napari.engine.protocol import Command
    from unet_napari.engine.shared import SharedFolder

__all__ = ["Intake"]


class Intake:
    """Puts what comes in where the engine process finds it.

    Parameters
    ----------
    shared
        The folder for arrays.
    folder
        The folder for files.

    Attributes
    ----------
    written
        The files that the job writes and the client wants, by their paths: their numbers.
    offered
        The arrays whose blocks the client sends when they are read, likewise.
    """

    def __init__(self, shared: SharedFolder, folder: Path) -> None:
        self._shared, self._folder = shared, folder
        self._inbox = Inbox(shared, folder)
        self._arrays: list[ArrayRef] = []  # of the job
        self._files: dict[int, Path] = {}
        self._trouble: UnetNapariError | None = None
        self.written: dict[str, int] = {}
        self.offered: dict[str, int] = {}

    def part(self, content: bytes) -> None:
        """Take in a part of an array or a file."""
        try:
            self._inbox.take(content)
        except UnetNapariError as error:  # there is no room; the job that needs it says so
            self._trouble = error

    def start(self, message: Start) -> Start:
        """Return a job as the engine process is given it.

        Raises
        ------
        UnetNapariError
            If it names what only another process may, or there was no room for its arrays.
        """
        self.written.clear()
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble

        def array(content: dict[str, Any]) -> Any:  # noqa: ANN401
            fields = {name: value for name, value in content.items() if name != TAG}
            return self._own(SentArray(**{**fields, "shape": tuple(fields["shape"])}))

        def offered(content: dict[str, Any]) -> Any:  # noqa: ANN401
            fields = {name: value for name, value in content.items() if name != TAG}
            return self._offered(OfferedArray(**{**fields, "shape": tuple(fields["shape"])}))

        def file(content: dict[str, Any]) -> str:
            return self._file(SentFile(content["number"], content["name"], content["wanted"]))

        def named(content: dict[str, Any]) -> dict[str, Any]:
            if content["kind"] not in ("memmap", "zarr"):
                raise EngineError("The host reads no such array of another computer.")
            return content

        functions = {
            "SentArray": array,
            "OfferedArray": offered,
            "SentFile": file,
            "ArrayRef": named,
        }
        job = replace_tagged(message.job, functions)
        self._inbox.drop_unclaimed(self.offered.values())
        return Start(message.job_id, job)

    def command(self, message: Command) -> Command:
        """Return a command as the engine process is given it."""
        keep = isinstance(message.command, PairAdded)  # its arrays are needed until the end
        array = self._own if keep else self._inbox.array
        functions: dict[type, Callable[[Any], object]] = {
            SentArray: array,
            OfferedArray: self._offered,
        }
        changed: Command = replace_items(message, functions)
        return changed

    def end_job(self) -> None:
        """Remove the arrays of the job."""
        while self._arrays:
            self._shared.release(self._arrays.pop())
        for number in self.offered.values():
            self._inbox.forget(number)
        self.offered.clear()

    def _own(self, sent: SentArray) -> ArrayRef:
        reference = self._inbox.array(sent)
        self._arrays.append(reference)
        return reference

    def _offered(self, offer: OfferedArray) -> ArrayRef:
        sent = SentArray(offer.number, offer.shape, offer.dtype)
        reference = self._inbox.array(sent, more=True)
        self._arrays.append(reference)
        self.offered[reference.path] = offer.number
        return dataclasses.replace(reference, kind="fetched", chunks=offer.chunks)

    def _file(self, sent: SentFile) -> str:
        """Return the path of a file, which keeps its name, as a model is called by it."""
        if sent.number not in self._files:
            path = self._folder / str(sent.number) / Path(sent.name).name
            path.parent.mkdir()
            arrived = self._inbox.file(sent.number)
            if arrived.exists():
                arrived.replace(path)
            self._files[sent.number] = path
        path = self._files[sent.number]
        if sent.wanted:
            self.written[str(path)] = sent.number
        return str(path)
