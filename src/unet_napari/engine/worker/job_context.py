"""What a running job may use of the engine process that it runs in."""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from unet_napari.engine.arrays import map_arrays, open_ref
from unet_napari.engine.fetched_array import BlocksReady, FetchedArray
from unet_napari.engine.protocol import Cancel, Command, JobEvent, JobWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    from unet_napari.engine.arrays import ArrayRef
    from unet_napari.engine.shared import SharedFolder

__all__ = ["Cancelled", "JobContext"]


class Cancelled(Exception):  # noqa: N818  not an error: what was asked for
    """The job was asked to end, and has nothing to finish."""


class JobContext:
    """What a job may use of the worker.

    Attributes
    ----------
    folder
        For arrays that go with events.
    cancelled
        Whether the job was asked to end.
    job_id
        The client's number for the job.
    """

    def __init__(self, job_id: int, send: Callable[[JobEvent], None], folder: SharedFolder) -> None:
        self.folder = folder
        self.cancelled = False
        self.job_id = job_id
        self._send = send
        self._allocated: list[ArrayRef] = []
        self._commands: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._warned: set[str] = set()
        self._fetched: dict[str, FetchedArray] = {}

    def send(self, event: object) -> None:
        """Send an event to the client, which owns the arrays in it from now on."""
        map_arrays(event, self._hand_over)
        self._send(JobEvent(self.job_id, event))

    def warn(self, message: str) -> None:
        """Send a warning, unless this job has sent the same one before."""
        if message not in self._warned:
            self._warned.add(message)
            self.send(JobWarning(message))

    def check(self) -> None:
        """Raise `Cancelled` if the job was asked to end."""
        if self.cancelled:
            raise Cancelled

    def allocate(self, shape: tuple[int, ...], dtype: DTypeLike) -> tuple[ArrayRef, NDArray[Any]]:
        """Make room for an array of the result, as `SharedFolder.allocate`."""
        reference, array = self.folder.allocate(shape, dtype)
        self._allocated.append(reference)
        return reference, array

    def open(self, reference: ArrayRef) -> Any:  # noqa: ANN401  a LazyArray
        """Open an array of the job; nothing is read yet."""
        data = open_ref(reference, folders=self.folder.folders)
        if reference.kind != "fetched":
            return data
        fetched = FetchedArray(data, reference.chunks, reference.path, self.send)
        self._fetched[reference.path] = fetched
        return fetched

    def discard(self) -> None:
        """Remove the arrays of a result that will not be sent."""
        for reference in self._allocated:
            self.folder.release(reference)

    def _hand_over(self, reference: ArrayRef) -> None:
        if reference in self._allocated:
            self._allocated.remove(reference)

    def take_commands(self, wait: float = 0.0) -> list[object]:
        """Return the commands since the last call, in their order.

        Parameters
        ----------
        wait
            Seconds to wait for one, or for the wish to end the job, where there is none yet.
        """
        commands = []
        with suppress(queue.Empty):
            commands.append(self._commands.get(timeout=wait) if wait else self._commands.get(False))
            while True:
                commands.append(self._commands.get(block=False))
        return [command for command in commands if command is not None]

    def receive(self, message: Cancel | Command) -> None:
        """Take note of a message; called from the listening thread."""
        if isinstance(message, Cancel):
            self.cancelled = True
            self._commands.put(None)  # wakes who waits
        elif isinstance(message.command, BlocksReady):
            self._fetched[str(message.command.array)].take(message.command)
        else:
            self._commands.put(message.command)
