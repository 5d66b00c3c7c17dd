"""A job that a client has submitted, and how it ends where its process does. Free of torch."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from unet_napari.engine.protocol import Event, JobCancelled, JobFailed, JobFinished, Saved

if TYPE_CHECKING:
    from collections.abc import Callable

    from unet_napari.engine.live_requests import PairAdded
    from unet_napari.engine.process import WorkerProcess
    from unet_napari.engine.remote.remote_process import RemoteProcess

__all__ = ["JobHandle", "end_of", "what_is_kept"]


class JobHandle:
    """A job that was submitted to an engine."""

    def __init__(
        self,
        job_id: int,
        job: object,
        on_event: Callable[[Event], None],
        worker: WorkerProcess | RemoteProcess,
    ) -> None:
        self.job_id = job_id
        self.job = job
        self._worker = worker
        self._on_event = on_event
        self._is_cancelled = False
        self._saved: Saved | None = None
        self._steps = 0  # that a training has made
        self._added: list[PairAdded] = []  # whose arrays are needed until the end
        self._timer: threading.Timer | None = None
        self._done = threading.Event()

    @property
    def done(self) -> bool:
        """Whether the job has ended and its last event was delivered."""
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the job's end, at most `timeout` seconds; return whether it has ended."""
        return self._done.wait(timeout)


def end_of(handle: JobHandle, worker: WorkerProcess | RemoteProcess) -> Event:
    """Return the terminal event of a job whose process has ended before it."""
    if not handle._is_cancelled:
        text = f"{worker.failure()}{what_is_kept(handle)}"
        return JobFailed(text, user_error=True, details=worker.last_words)
    if handle._saved is None:
        return JobCancelled()
    return JobFinished(handle._saved.result(handle._steps, "Stopped.", stopped=True))


def what_is_kept(handle: JobHandle) -> str:
    """Return where the model of a training is that has ended before its time."""
    saved = handle._saved
    if saved is None:
        return ""
    return f" The model of step {saved.step} of {handle._steps} is kept in '{saved.path}'."
