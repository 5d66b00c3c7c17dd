"""The engine process as its parent sees it: started, written to, read from, ended."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from unet_napari.engine.protocol import decode, encode
from unet_napari.errors import EngineError
from unet_napari.system.subprocesses import detached

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

__all__ = ["WorkerProcess"]

_LOG = logging.getLogger(__name__)

_LAST_WORDS = 60  # lines of the worker's stderr that are kept for error messages
_FAREWELL = 1.5  # seconds between closing the worker's stdin and killing it


class WorkerProcess:
    """A running engine process.

    Parameters
    ----------
    jobs
        Module of the jobs it can do.
    trains
        Whether it gets ready for a training.
    folders
        The client's shared folders; the worker removes them when the client dies.
    on_message
        Called from a thread with each message of the worker.
    on_exit
        Called from the same thread once the worker has ended, with this object.

    Raises
    ------
    EngineError
        If the process cannot be started.
    """

    def __init__(
        self,
        jobs: str,
        trains: bool,
        folders: tuple[str, ...],
        on_message: Callable[[WorkerProcess, Any], None],
        on_exit: Callable[[WorkerProcess], None],
    ) -> None:
        # -P: a file of the user's that is called random.py must not hide Python's.
        command = [sys.executable, "-P", "-m", "unet_napari.engine.worker", "--jobs", jobs]
        command += ["--trains"] if trains else []
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own module, no shell
                [*command, *folders],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PYTHONFAULTHANDLER": "1"} | os.environ,
                **detached(),
            )
        except OSError as error:
            raise EngineError(f"The engine process cannot be started: {error}.") from error
        self._on_message, self._on_exit = on_message, on_exit
        self._write_lock = threading.Lock()
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._threads = [
            threading.Thread(target=self._read_errors, name="engine-stderr", daemon=True),
            threading.Thread(target=self._read_messages, name="engine-reader", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def last_words(self) -> str:
        """The last lines that the process, or a library in it, printed."""
        return "\n".join(self._last_words)

    def send(self, message: object) -> None:
        """Send a message; if the process has died, `on_exit` will tell."""
        line = encode(message).encode() + b"\n"
        with self._write_lock, suppress(OSError, ValueError):  # ValueError: stdin is closed
            stdin = _pipe(self._process.stdin)
            stdin.write(line)
            stdin.flush()

    def kill(self) -> None:
        """End the process now; `on_exit` follows."""
        self._process.kill()

    def dismiss(self) -> None:
        """End the process, whose client goes on without it."""
        self.kill()  # one that ends by itself takes the client's folders along

    def stop(self) -> None:
        """End the process, politely first, and wait for it."""
        with self._write_lock, suppress(OSError):
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def failure(self) -> str:
        """Say in words for the user how the process ended, and what comes of it."""
        return (
            f"The engine process {self._how_it_ended()}. Your layers are unharmed, and the "
            "next run starts a new engine."
        )

    def _how_it_ended(self) -> str:
        code = self._process.returncode
        if code == -getattr(signal, "SIGKILL", 9):
            return "was killed, most likely because the computer ran out of memory"
        if code is not None and (code < 0 or code > 255):  # a signal, or a Windows exception
            return f"crashed ({_signal_name(code)})"
        return f"ended unexpectedly (exit status {code})"

    def _read_messages(self) -> None:
        with _pipe(self._process.stdout) as stdout:
            for line in stdout:
                try:
                    message = decode(line)
                except ValueError:
                    self._last_words.append(line.decode(errors="replace").rstrip())
                    continue
                self._on_message(self, message)
        self._process.wait()
        self._threads[0].join()  # the last words are complete
        with self._write_lock, suppress(OSError):
            _pipe(self._process.stdin).close()
        self._on_exit(self)

    def _read_errors(self) -> None:
        with _pipe(self._process.stderr) as stderr:
            for line in stderr:
                text = line.decode(errors="replace").rstrip()
                self._last_words.append(text)
                _LOG.debug("engine: %s", text)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101  each of the three was asked for
    return pipe


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"code {code:#x}"
