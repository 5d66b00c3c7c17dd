"""The engine as the docks see it: its events arrive as Qt signals, in Qt's thread."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from qtpy.QtCore import QObject, Qt, Signal  # type: ignore[attr-defined]

from unet_napari.engine import (
    ArrayRef,
    EngineClient,
    ImageRef,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobHandle,
)
from unet_napari.engine.remote.host import RemoteHost
from unet_napari.errors import EngineError
from unet_napari.images import Image, LazyArray

__all__ = ["Job"]


class Asked(NamedTuple):
    """The functions that are told how a short job has ended."""

    done: Callable[[Mapping[str, Any]], None]
    failed: Callable[[Exception], None]


class Job(QObject):
    """One engine process, and the one job it does at a time.

    Signals
    -------
    reported(object)
        What the engine reports while it works.
    ended(object)
        The job is over; the result as a mapping, empty if it was stopped without one.
    failed(object)
        The job is over; an exception whose message is for the user.
    """

    reported = Signal(object)
    ended = Signal(object)
    failed = Signal(object)
    _received = Signal(object)

    def __init__(self, make_client: Callable[[], EngineClient] = EngineClient) -> None:
        super().__init__()
        self._make_client = make_client
        self._client: EngineClient | None = None
        self._handle: JobHandle | None = None
        self._host: RemoteHost | None = None
        self._asked: Asked | None = None  # the job of the handle is one of `ask`
        self._waiting: object = None  # the job that begins when that one has ended
        self._number = 0  # number of the latest job; events of earlier jobs are late
        # The client calls from a thread of its own.
        self._received.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def pid(self) -> int | None:
        """The id of the engine process; None if there is none at present."""
        return None if self._client is None else self._client.pid

    @property
    def running(self) -> bool:
        """Whether there is a job of `start` that has not ended yet."""
        return self._handle is not None and (self._asked is None or self._waiting is not None)

    def open(self) -> None:
        """Start the engine process, without waiting for it."""
        if self._client is None:
            self._client = self._make_client()
            self._client.start()

    def move_to(self, host: RemoteHost | None) -> None:
        """Let another computer, or this one again (None), do the jobs from now on.

        Raises
        ------
        EngineError
            If a job is running, or the dock was closed.
        """
        if host != self._host:
            self._host = host
            self.stop_asked()
            self._open_client().move_to(host)

    def close(self, *_: object) -> None:
        """End the engine process, with whatever it does, without waiting for it."""
        client, self._client, self._handle = self._client, None, None
        self._asked = self._waiting = None
        self._number += 1
        if client is None:
            return
        try:
            threading.Thread(target=client.close, name="unet-napari-farewell").start()
        except RuntimeError:  # Python is shutting down, and starts no threads any more
            client.close()

    def share(self, image: Image, *, snapshot: bool = False) -> ImageRef:
        """Make an image readable by the engine; may be called from any thread."""
        data = self._open_client().folder.share(image.data, snapshot=snapshot)
        return ImageRef(
            data=data,
            axes=image.axes,
            pixel_size=dict(image.pixel_size),
            name=image.name,
            fixed=dict(image.fixed),
            source=_file_behind(image, data),
        )

    def share_array(self, data: LazyArray) -> Any:  # noqa: ANN401  an ArrayRef
        """Make a copy of an array readable by the engine; may be called from any thread."""
        return self._open_client().folder.share(data, snapshot=True)

    def start(self, job: object) -> None:
        """Begin a job, one of `unet_napari.engine.requests`.

        Raises
        ------
        EngineError
            If the engine cannot be started.
        """
        if self._asked is not None:
            self._waiting = job
            self.stop_asked()
        else:
            self._begin(job)

    def ask(
        self,
        job: object,
        done: Callable[[Mapping[str, Any]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Begin a short job, of which no signal tells; a job of `start` takes its place at once.

        Parameters
        ----------
        job : object
            One of `unet_napari.engine`.
        done : callable
            Called with the result; an empty one if the job was stopped.
        failed : callable
            Called with an exception whose message is for the user.

        Raises
        ------
        EngineError
            If the engine is busy, or cannot be started.
        """
        if self._handle is not None:
            raise EngineError("The engine is busy with another job.")
        self._begin(job)
        self._asked = Asked(done, failed)

    def stop_asked(self) -> None:
        """Ask a job of `ask` to end."""
        if self._client is not None and self._handle is not None and self._asked is not None:
            self._client.cancel(self._handle)

    def _begin(self, job: object) -> None:
        self._number += 1
        self._handle = self._open_client().submit(job, partial(self._receive, self._number))

    def tell(self, command: object) -> None:
        """Tell something to the running job; ignored if there is none."""
        if self._client is not None and self._handle is not None:
            self._client.command(self._handle, command)

    def stop(self) -> None:
        """Ask the job to end; it is ended if it does not within two seconds."""
        if self._waiting is not None:
            self._waiting = None
            self.ended.emit({})
        elif self._client is not None and self._handle is not None:
            self._client.cancel(self._handle)

    def _open_client(self) -> EngineClient:
        if self._client is None:
            raise EngineError("The dock was closed.")
        return self._client

    def _receive(self, number: int, event: object) -> None:
        self._received.emit((number, event))

    def _deliver(self, message: tuple[int, Any]) -> None:
        number, event = message
        if number != self._number:
            return
        ended = isinstance(event, JobFinished | JobCancelled | JobFailed)
        asked, done, failed = self._asked, self.ended.emit, self.failed.emit
        if ended:
            self._handle = self._asked = None
            self._begin_waiting()
        if asked is not None:
            done, failed = asked.done, asked.failed
        if isinstance(event, JobFinished):
            done(event.result)
        elif isinstance(event, JobCancelled):
            done({})
        elif isinstance(event, JobFailed):
            failed(EngineError(event.message))
        elif asked is None:
            self.reported.emit(event)

    def _begin_waiting(self) -> None:
        """Begin the job that has waited for another one to end."""
        job, self._waiting = self._waiting, None
        if job is not None:
            try:
                self._begin(job)
            except EngineError as error:
                self.failed.emit(error)


def _file_behind(image: Image, data: ArrayRef) -> str | None:
    """Return the file that an array is read from; one in memory may differ from its file."""
    if data.kind in ("memmap", "zarr"):
        return data.path
    lazy = data.kind == "pickle" and image.source is not None and image.source.exists()
    return str(image.source) if lazy else None
