"""The engine as the viewer sees it: submit a job, hear its events, cancel it. No Qt, no torch."""

from __future__ import annotations

import itertools
import logging
import threading
import weakref
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from unet_napari.engine.arrays import map_arrays, share_in, take
from unet_napari.engine.job_handle import JobHandle, end_of, what_is_kept
from unet_napari.engine.live_requests import PairAdded
from unet_napari.engine.process import WorkerProcess
from unet_napari.engine.protocol import (
    TERMINAL,
    ArraysReady,
    Cancel,
    Command,
    Event,
    JobEvent,
    JobFailed,
    Saved,
    Start,
    Step,
    encode,
)
from unet_napari.engine.remote.remote_process import RemoteProcess
from unet_napari.engine.shared import SharedFolder
from unet_napari.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from unet_napari.engine.remote.host import RemoteHost

    _Worker = WorkerProcess | RemoteProcess

__all__ = ["EngineClient", "JobHandle"]

_LOG = logging.getLogger(__name__)

PATIENCE = 1.5  # seconds between asking a job to end and ending its process


class EngineClient:
    """Runs jobs in an engine process, one at a time.

    The process is started by `start`, or by the first job, and anew after it has died. It ends
    with `close`, with this object, or with this program, whichever comes first.

    Parameters
    ----------
    jobs
        Module of the jobs that the engine can do.
    trains
        Whether the engine is going to train: it then loads what that takes while nobody waits.
    host
        The computer that computes; None: this one.

    Attributes
    ----------
    folder
        For sharing arrays with the engine. Arrays shared for a job are removed when it ends.
    """

    def __init__(
        self,
        jobs: str = "unet_napari.engine.worker.jobs",
        *,
        trains: bool = False,
        host: RemoteHost | None = None,
    ) -> None:
        self.folder = SharedFolder()
        self.host = host
        self._jobs, self._trains = jobs, trains
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._closed = False
        self._active: JobHandle | None = None
        self._workers: list[_Worker] = []  # none or one
        self._finalizer = weakref.finalize(self, _end, self._workers, self.folder)

    def start(self) -> None:
        """Start the process, which then imports torch, without waiting for it.

        Raises
        ------
        EngineError
            If the client is closed or the process cannot be started.
        """
        with self._lock:
            self._running_worker()

    @property
    def pid(self) -> int | None:
        """The id of the engine process; None if there is none at present."""
        with self._lock:
            return self._workers[0].pid if self._workers else None

    def submit(self, job: object, on_event: Callable[[Event], None]) -> JobHandle:
        """Begin a job.

        Parameters
        ----------
        job
            One of `unet_napari.engine.requests`.
        on_event
            Called with each of the job's events, from a thread of the client's. The last one,
            and only that, is a `JobFinished`, `JobFailed` or `JobCancelled`. Arrays in events
            are NumPy arrays of the receiver's own.

        Raises
        ------
        EngineError
            If a job is running, the client is closed or the process cannot be started.
        """
        description = encode(job)
        with self._lock:
            if self._active is not None:
                raise EngineError("The engine is busy with another job; stop that one first.")
            worker = self._running_worker()
            handle = JobHandle(next(self._ids), job, on_event, worker)
            self._active = handle
        worker.send(Start(handle.job_id, description))
        return handle

    def command(self, handle: JobHandle, command: object) -> None:
        """Tell something to a running job, such as a `PreviewRequest`; ignored after its end."""
        with self._lock:
            running = handle is self._active
            if running and isinstance(command, PairAdded):
                handle._added.append(command)
        if running:
            handle._worker.send(Command(handle.job_id, command))
        else:
            map_arrays(command, self.folder.release)

    def cancel(self, handle: JobHandle) -> None:
        """Ask a job to end; where it does not within 1.5 s, its process is ended.

        Returns at once. The job's terminal event follows within 2 s: `JobCancelled`, or
        `JobFinished` if it had something to finish or was faster.
        """
        with self._lock:
            if handle is not self._active or handle._is_cancelled:
                return
            handle._is_cancelled = True
            handle._timer = threading.Timer(PATIENCE, self._end_by_force, [handle])
            handle._timer.daemon = True
            handle._timer.start()
        handle._worker.send(Cancel(handle.job_id))

    def move_to(self, host: RemoteHost | None) -> None:
        """Let another computer, or this one again (None), run the jobs from now on.

        Raises
        ------
        EngineError
            If a job is running.
        """
        with self._lock:
            if host == self.host:
                return
            if self._active is not None:
                raise EngineError("The engine is busy with another job; stop that one first.")
            self.host = host
            workers = list(self._workers)
            self._workers.clear()
        for worker in workers:
            worker.dismiss()

    def close(self) -> None:
        """End the engine process and remove the shared arrays; a running job is cancelled."""
        with self._lock:
            self._closed = True
            if self._active is not None:
                self._active._is_cancelled = True
        self._finalizer()

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running_worker(self) -> _Worker:
        """Return the worker, started if there is none. The lock is held."""
        if self._closed:
            raise EngineError("The engine was closed.")
        if not self._workers:
            # Weak, so that the worker's threads do not keep an abandoned client alive.
            received, exited = weakref.WeakMethod(self._received), weakref.WeakMethod(self._exited)
            told = partial(_call, received), partial(_call, exited)
            what = self._jobs, self._trains
            if self.host is None:
                self._workers.append(WorkerProcess(*what, self.folder.folders, *told))
            else:
                self._workers.append(RemoteProcess(self.host, *what, self.folder, *told))
        return self._workers[0]

    def _end_by_force(self, handle: JobHandle) -> None:
        with self._lock:
            if handle is self._active:
                handle._worker.kill()

    def _received(self, _worker: _Worker, message: JobEvent) -> None:
        with self._lock:
            handle = self._active
        try:
            own = share_in if isinstance(message.event, ArraysReady) else take
            event = map_arrays(message.event, own)
        except EngineError as error:  # somebody has cleared the folder
            event = JobFailed(str(error), user_error=True)
        if handle is not None and handle.job_id == message.job_id:
            if isinstance(event, Saved):
                handle._saved = event
                handle._steps = max(handle._steps, event.step)
            elif isinstance(event, Step):
                handle._steps = event.step
            elif isinstance(event, JobFailed):
                event = replace(event, message=event.message + what_is_kept(handle))
            self._deliver(handle, event)

    def _exited(self, worker: _Worker) -> None:
        with self._lock:
            if worker in self._workers:
                self._workers.remove(worker)
            handle = self._active
            if handle is None or handle._worker is not worker:
                return
            if handle._is_cancelled and not self._closed:
                with suppress(EngineError):  # the next job says why
                    self._running_worker()
        self.folder.sweep()
        self._deliver(handle, end_of(handle, worker))

    def _deliver(self, handle: JobHandle, event: Any) -> None:  # noqa: ANN401
        """Pass an event on. The first terminal one frees the engine before that."""
        ended = isinstance(event, TERMINAL)
        if ended:
            with self._lock:
                self._active = None
            if handle._timer is not None:
                handle._timer.cancel()
            map_arrays((handle.job, *handle._added), self.folder.release)
        try:
            handle._on_event(event)
        except Exception:
            _LOG.exception("the receiver of %s failed", type(event).__name__)
        if ended:
            handle._done.set()


def _call(method: weakref.WeakMethod[Any], *arguments: object) -> None:
    alive = method()
    if alive is not None:
        alive(*arguments)


def _end(workers: list[_Worker], folder: SharedFolder) -> None:
    for worker in list(workers):
        worker.stop()
    folder.close()
