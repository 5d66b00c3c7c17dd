"""Runs the engine process on a host, for a client that may lose its connection and come back."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from unet_napari.engine.fetched_array import BlocksReady, FetchBlocks
from unet_napari.engine.process import WorkerProcess
from unet_napari.engine.protocol import (
    TERMINAL,
    Cancel,
    Command,
    JobEvent,
    JobFailed,
    Start,
    decode,
    encode,
)
from unet_napari.engine.remote.intake import Intake
from unet_napari.engine.remote.line import DATA, Frame, Line
from unet_napari.engine.remote.messages import EndWorker, Leave, WorkerEnded
from unet_napari.engine.remote.outbox import Outbox, message_frame
from unet_napari.engine.shared import SharedFolder
from unet_napari.errors import UnetNapariError

__all__ = ["attend", "socket_in"]

_KEPT = 600.0  # seconds that a job goes on without a client
_KEPT_IDLE = 30.0  # seconds that an engine without a job waits for one
_SILENCE = 20.0  # seconds without a sign of life, which comes every 2, end a connection


def socket_in(folder: Path) -> str:
    """Return the address of the attendant of a session, whose folder this is."""
    return str(folder / "s")  # an address may have about 100 characters


def attend(folder: Path, jobs: str, *, trains: bool) -> None:
    """Serve a session until its client leaves, or has been away for too long.

    Parameters
    ----------
    folder
        The session's folder, which is closed to others. It is removed in the end.
    jobs, trains
        As of a `WorkerProcess`.
    """
    try:
        _Attendant(folder, jobs, trains=trains).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Attendant:
    """One session: the client's line on one side, an engine process on the other."""

    def __init__(self, folder: Path, jobs: str, *, trains: bool) -> None:
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(socket_in(folder))
        self._door.listen()
        self._door.settimeout(1.0)
        self._shared = SharedFolder()
        self._over = threading.Event()
        self._seen = time.monotonic()
        self._job_id: int | None = None
        self._lock = threading.Lock()
        self._visitor: socket.socket | None = None
        self._line = Line(self._receive)
        # What a killed attendant leaves in there is removed some day, see `system.leftovers`.
        self._intake = Intake(self._shared, Path(self._shared.folders[-1]))
        self._outbox = Outbox(self._line)
        self._worker = WorkerProcess(jobs, trains, self._shared.folders, self._event, self._ended)

    def run(self) -> None:
        """Welcome the client whenever it comes, until it leaves."""
        try:
            while not self._over.is_set():
                with suppress(TimeoutError):
                    self._welcome(self._door.accept()[0])
                if self._visitor is not None:
                    self._seen = time.monotonic()
                elif time.monotonic() - self._seen > (_KEPT if self._job_id else _KEPT_IDLE):
                    break
        finally:
            self._over.set()
            self._door.close()
            self._worker.stop()
            self._shared.close()

    def _welcome(self, visitor: socket.socket) -> None:
        """Serve a connection; the one before, which the client has given up, ends."""
        earlier, self._visitor = self._visitor, visitor
        if earlier is not None:
            _shut(earlier)
        threading.Thread(target=self._serve, args=(visitor,), daemon=True).start()

    def _serve(self, visitor: socket.socket) -> None:
        visitor.settimeout(_SILENCE)
        with visitor:
            self._line.serve(visitor.recv, visitor.sendall)
            _shut(visitor)
        if self._visitor is visitor:
            self._visitor = None

    def _receive(self, frame: Frame) -> None:
        if frame.kind == DATA:
            self._intake.part(frame.content)
            return
        message = decode(frame.content)
        if isinstance(message, Start):
            self._job_id = message.job_id
            self._worker_gets(message)
        elif isinstance(message, Command):
            self._worker.send(self._intake.command(message))
        elif isinstance(message, Cancel):
            self._worker.send(message)
        elif isinstance(message, BlocksReady):
            self._pass_blocks(message)
        elif isinstance(message, EndWorker):
            with self._lock:
                if message.job_id == self._job_id:
                    self._worker.kill()
        elif isinstance(message, Leave):
            self._over.set()
            if self._visitor is not None:
                _shut(self._visitor)

    def _worker_gets(self, message: Start) -> None:
        try:
            job = self._intake.start(message)
        except UnetNapariError as error:
            self._end_job(JobEvent(message.job_id, JobFailed(str(error), user_error=True)))
        else:
            self._worker.send(job)

    def _event(self, _worker: WorkerProcess, message: JobEvent) -> None:
        event = message.event
        if isinstance(event, TERMINAL):
            self._end_job(message)
        elif isinstance(event, FetchBlocks):
            number = self._intake.offered[str(event.array)]
            self._line.send_at_once(encode(FetchBlocks(number, event.blocks)).encode())
        else:
            self._outbox.put(message, self._intake.written)

    def _pass_blocks(self, ready: BlocksReady) -> None:
        """Tell the job that blocks of an image are there, unless it is over."""
        paths = [path for path, number in self._intake.offered.items() if number == ready.array]
        if paths and self._job_id is not None:
            self._worker.send(Command(self._job_id, BlocksReady(paths[0], ready.blocks)))

    def _end_job(self, message: JobEvent) -> None:
        with self._lock:
            self._job_id = None
        self._outbox.put(message, self._intake.written)
        self._intake.end_job()

    def _ended(self, worker: WorkerProcess) -> None:
        """Tell the client that the engine process is gone, with what it leaves, and end."""
        if self._over.is_set():
            return
        self._outbox.leave_files(self._intake.written)
        how = WorkerEnded(worker.failure(), worker.last_words)
        self._line.send(iter([message_frame(how)]))
        deadline = time.monotonic() + _KEPT
        while not (self._over.is_set() or self._line.wait_taken(0.2)):
            if time.monotonic() > deadline:
                break
        self._over.set()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that nothing is left behind
    attend(Path(sys.argv[1]), sys.argv[2], trains="--trains" in sys.argv)
