"""The engine process on another computer, as `EngineClient` sees it."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from unet_napari.engine.arrays import map_arrays
from unet_napari.engine.fetched_array import BlocksReady, FetchBlocks
from unet_napari.engine.live_requests import PairAdded
from unet_napari.engine.protocol import (
    TERMINAL,
    Cancel,
    Command,
    ConnectionChanged,
    JobCancelled,
    JobEvent,
    JobFailed,
    Progress,
    Start,
    decode,
    encode,
)
from unet_napari.engine.remote.connection import Connection, NoConnectionError
from unet_napari.engine.remote.delivery import Delivery
from unet_napari.engine.remote.line import DATA, MESSAGE, Frame, Line
from unet_napari.engine.remote.messages import EndWorker, Leave, WorkerEnded
from unet_napari.engine.remote.shipping import Shipping
from unet_napari.errors import UnetNapariError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unet_napari.engine.remote.host import RemoteHost
    from unet_napari.engine.remote.shipping import Shipment
    from unet_napari.engine.shared import SharedFolder

__all__ = ["RemoteProcess"]

_GIVEN_UP = 600.0  # seconds without a connection; the attendant ends then, too
_SILENCE = 10.0  # seconds without a sign of life, which comes every 2, end a connection
_PAUSE = 3.0  # seconds between two attempts
_DEAD = 1.2  # seconds of silence after which nobody waits for an answer to a Stop
_ANSWER = 5.0  # the same while the model still comes in
_FAREWELL = 1.0  # seconds for the attendant to hear that nobody comes back


class RemoteProcess:
    """Stands in for a `WorkerProcess`; the engine process is on another computer.

    Parameters
    ----------
    host
        The computer.
    jobs, trains
        As of a `WorkerProcess`.
    folder
        The client's shared folder. Arrays that came in are put there.
    on_message, on_exit
        As of a `WorkerProcess`.
    """

    def __init__(
        self,
        host: RemoteHost,
        jobs: str,
        trains: bool,
        folder: SharedFolder,
        on_message: Callable[[RemoteProcess, Any], None],
        on_exit: Callable[[RemoteProcess], None],
    ) -> None:
        self._host, self._folder = host, folder
        self._arguments = ["--jobs", jobs, *(["--trains"] if trains else [])]
        self._on_message, self._on_exit = on_message, on_exit
        self._session = secrets.token_hex(16)
        self._shipping = Shipping(host, folder)
        self._delivery = Delivery(folder, self._shipping.wanted)
        self._line = Line(self._receive)
        self._connection: Connection | None = None
        self._over = threading.Event()
        self._leaving = self._served = False
        self._why = ""
        self._job_id = self._ended = 0  # ids of the latest job, and of the latest that has ended
        self._loading: int | None = None  # id of the job whose arrays are on their way
        self.last_words = ""
        self._thread = threading.Thread(target=self._run, name="engine-line", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The id of the process of OpenSSH; None without a connection."""
        connection = self._connection
        return None if connection is None else connection.pid

    def send(self, message: object) -> None:
        """Send a message; arrays and files go before it, and are read when it is their turn."""
        if isinstance(message, Start):
            self._job_id = self._loading = message.job_id
            self._line.send(self._start(message))
        elif isinstance(message, Command):
            self._line.send(self._command(message))
        else:
            if isinstance(message, Cancel) and self._loading == message.job_id:
                self._loading = None
            self._line.send_at_once(encode(message).encode())

    def kill(self) -> None:
        """End the engine process; `on_exit` follows, at once where the line is dead."""
        if self._line.unanswered > _DEAD:
            self._abandon()
            return
        self._line.send_at_once(encode(EndWorker(self._job_id)).encode())
        watch = threading.Thread(target=self._wait_for_end, name="engine-end", daemon=True)
        watch.start()

    def stop(self) -> None:
        """End the engine process, politely first."""
        self._leaving = True
        if self._connection is not None and not self._over.is_set():
            self._line.send_at_once(encode(Leave()).encode())
            self._over.wait(_FAREWELL)
        self._give_up()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def dismiss(self) -> None:
        """End the engine process, without waiting for it."""
        threading.Thread(target=self.stop, name="engine-dismissed", daemon=True).start()

    def failure(self) -> str:
        """Say in words for the user why the process has ended."""
        return self._why or f"The connection to {self._host.address} was ended."

    # -- the connection -----------------------------------------------------------------------

    def _run(self) -> None:
        threading.Thread(target=self._watch, name="engine-watch", daemon=True).start()
        try:
            self._stay_connected()
        finally:
            self._over.set()
            self._line.close()
            self._on_exit(self)

    def _stay_connected(self) -> None:
        lost: float | None = None
        while not (self._over.is_set() or self._leaving):
            try:
                self._connect(again=lost is not None)
            except NoConnectionError as error:
                self._why = str(error)
                late = lost is None or time.monotonic() - lost > _GIVEN_UP
                if late or not error.passing:
                    return
                self._over.wait(_PAUSE)
                continue
            if not (self._over.is_set() or self._leaving):
                lost = time.monotonic()
                self._tell(lost=True)

    def _connect(self, *, again: bool) -> None:
        """Use one connection until it ends."""
        connection = Connection(self._host, self._session, self._arguments, again=again)
        self._connection, self._served = connection, False
        try:
            if self._over.is_set():
                return
            connection.greet()
            self._served = True
            if again:
                self._tell(lost=False)
            self._line.serve(connection.read, connection.write)
        finally:
            self._connection = None
            connection.close()

    def _watch(self) -> None:
        """End a connection that says nothing any more."""
        while not self._over.wait(1.0):
            connection = self._connection
            silent = time.monotonic() - self._line.heard > _SILENCE
            if connection is not None and self._served and silent:
                connection.end()

    def _tell(self, *, lost: bool) -> None:
        name = self._host.address
        text = (
            f"The connection to {name} is lost. The work goes on there for ten minutes, and is "
            "taken up again when the connection is back."
            if lost
            else f"The connection to {name} is back."
        )
        self._report(ConnectionChanged(lost, text))

    def _give_up(self) -> None:
        self._over.set()
        connection = self._connection
        if connection is not None:
            connection.end()

    def _wait_for_end(self) -> None:
        job_id = self._job_id
        while not self._over.wait(0.1) and self._ended < job_id:
            if time.monotonic() - self._line.heard > _ANSWER:
                self._abandon()

    def _abandon(self) -> None:
        """End this side, and the other one as soon as it can be reached."""
        self._give_up()
        threading.Thread(target=self._end_there, name="engine-abandoned", daemon=True).start()

    def _end_there(self) -> None:
        deadline = time.monotonic() + _GIVEN_UP
        while time.monotonic() < deadline:
            about = self._host, self._session, self._arguments
            try:
                with closing(Connection(*about, again=True, end=True)) as connection:
                    connection.greet()
            except NoConnectionError as error:
                if not error.passing:
                    return
                time.sleep(_PAUSE)
            else:
                return

    # -- what is said -------------------------------------------------------------------------

    def _start(self, message: Start) -> Iterator[Frame]:
        """Yield what is sent for a job, unless it is cancelled meanwhile."""
        try:
            shipment = self._shipping.start(message)
            for frame in self._reported(shipment):
                if self._loading != message.job_id:
                    self._report(JobCancelled(), message.job_id)
                    return
                yield frame
        except Exception as error:
            self._report(_failed(error), message.job_id)
            return
        self._loading = None
        yield Frame(MESSAGE, shipment.message.encode())

    def _command(self, message: Command) -> Iterator[Frame]:
        """Yield what is sent for a command, whose arrays are gone afterwards."""
        try:
            shipment = self._shipping.command(message)
            yield from shipment.parts()
        except Exception as error:
            self._report(_failed(error), message.job_id)
            return
        finally:
            if not isinstance(message.command, PairAdded):
                map_arrays(message, self._folder.release)
        yield Frame(MESSAGE, shipment.message.encode())

    def _blocks(self, wanted: FetchBlocks) -> Iterator[Frame]:
        """Yield the blocks of an image that is read there, and say that they are sent."""
        job_id = self._job_id
        try:
            yield from self._shipping.blocks(wanted)
        except Exception as error:
            self._report(_failed(error), job_id)
            self._line.send_at_once(encode(EndWorker(job_id)).encode())  # it would wait for ever
            return
        yield Frame(MESSAGE, encode(BlocksReady(wanted.array, wanted.blocks)).encode())

    def _reported(self, shipment: Shipment) -> Iterator[Frame]:
        """Yield the parts of a job, and say how far they are."""
        done, said = 0, time.monotonic()
        for frame in shipment.parts():
            yield frame
            done += len(frame.content)
            if time.monotonic() - said > 1.0:
                said = time.monotonic()
                text = f"sending to {self._host.address} ({done / 1e6:.0f} MB)"
                self._report(Progress(0, 1, text))

    def _receive(self, frame: Frame) -> None:
        if frame.kind == DATA:
            self._delivery.take(frame.content)
            return
        message = decode(frame.content)
        if isinstance(message, WorkerEnded):
            self._why = f"On {self._host.address}: {message.how}"
            self.last_words = message.last_words
            self._leaving = True  # as the attendant does when it is told
            self._line.send_at_once(encode(Leave()).encode())
            threading.Timer(_FAREWELL, self._give_up).start()
            return
        if isinstance(message, FetchBlocks):
            self._line.send(self._blocks(message))
            return
        event = self._delivery.message(message)
        if event is not None:
            if isinstance(event.event, TERMINAL):
                self._ended = event.job_id
            self._on_message(self, event)

    def _report(self, event: object, job_id: int | None = None) -> None:
        self._on_message(self, JobEvent(self._job_id if job_id is None else job_id, event))


def _failed(error: Exception) -> JobFailed:
    known = isinstance(error, UnetNapariError)
    text = str(error) if known else f"The image cannot be sent ({type(error).__name__}: {error})."
    return JobFailed(text, user_error=True)
