"""What a running job may use of the engine process that it runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unet_napari.engine.arrays import map_arrays
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
        self._command: object = None
        self._warned: set[str] = set()

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

    def discard(self) -> None:
        """Remove the arrays of a result that will not be sent."""
        for reference in self._allocated:
            self.folder.release(reference)

    def _hand_over(self, reference: ArrayRef) -> None:
        if reference in self._allocated:
            self._allocated.remove(reference)

    def take_command(self) -> object:
        """Return the latest command since the last call; None if there was none."""
        command, self._command = self._command, None
        return command

    def receive(self, message: Cancel | Command) -> None:
        """Take note of a message; called from the listening thread."""
        if isinstance(message, Cancel):
            self.cancelled = True
        else:
            self._command = message.command
