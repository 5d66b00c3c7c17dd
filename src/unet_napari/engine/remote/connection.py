"""One connection to a host: started, greeted, and why there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from unet_napari._version import __version__
from unet_napari.errors import EngineError, SettingsError
from unet_napari.system.subprocesses import detached

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unet_napari.engine.remote.host import RemoteHost

__all__ = ["GREETING", "Connection", "NoConnectionError"]

GREETING = "unet-napari-engine "  # begins the line that the program there says first
_GREETING_TIME = 60.0  # seconds; Python may come from a slow disk
_LAST_LINES = 40
_NOT_FOUND = 127  # what every shell says of a command that is not there


class NoConnectionError(EngineError):
    """There is no connection to a host.

    Attributes
    ----------
    passing
        Whether it may work in a while, as the network or the host may come back.
    """

    def __init__(self, text: str, *, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing


class Connection:
    """A connection to the attendant of a session.

    Parameters
    ----------
    host
        The computer.
    session
        Name of the session: letters and digits.
    engine
        Arguments of the engine process.
    again
        Whether the session is there already.
    end
        Whether to end it; there is nothing to read or write then.
    """

    def __init__(
        self,
        host: RemoteHost,
        session: str,
        engine: Sequence[str],
        *,
        again: bool,
        end: bool = False,
    ) -> None:
        self._host = host
        self._session, self._again = session, again
        arguments = [*engine, "--session", session, "--version", __version__]
        try:
            arguments += ["--again"] if again else []
            arguments += ["--end"] if end else []
            self._process = subprocess.Popen(  # noqa: S603  OpenSSH, no shell on this side
                host.command(*arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                **detached(),
            )
        except (OSError, SettingsError) as error:
            raise NoConnectionError(f"SSH cannot be started: {error}") from error
        self._said: deque[str] = deque(maxlen=_LAST_LINES)
        self._errors = threading.Thread(target=self._read_errors, name="ssh-stderr", daemon=True)
        self._errors.start()

    def greet(self) -> dict[str, Any]:
        """Wait for the program there; return what it says of itself.

        Raises
        ------
        NoConnectionError
            Saying what is wrong and the remedy.
        """
        timer = threading.Timer(_GREETING_TIME, self.end)
        timer.daemon = True
        timer.start()
        began = time.monotonic()
        try:
            greeting = self._greeting()
        finally:
            timer.cancel()
        if greeting is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self.end()
            self._errors.join(5)
            late = time.monotonic() - began >= _GREETING_TIME
            raise self._trouble("it did not answer within a minute" if late else "")
        if greeting.get("version") != __version__:
            self.end()
            raise NoConnectionError(self._other_version(str(greeting.get("version"))))
        if greeting.get("problem"):
            self.end()
            raise NoConnectionError(f"{self._host.address}: {greeting['problem']}")
        return greeting

    def read(self, size: int) -> bytes:
        """Wait for at most so many bytes; none: the connection has ended."""
        assert self._process.stdout is not None  # noqa: S101  it was asked for
        return os.read(self._process.stdout.fileno(), size)

    def write(self, data: bytes) -> None:
        """Write all bytes."""
        assert self._process.stdin is not None  # noqa: S101  it was asked for
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def end(self) -> None:
        """End the connection; whoever reads or writes is told."""
        if hasattr(os, "killpg"):  # what OpenSSH has started, such as a ProxyCommand, too
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def close(self) -> None:
        """End the connection and forget it; nobody may read or write any more."""
        self.end()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # both were asked for
        self._errors.join(1.0)  # a shared connection (ControlPersist) may keep the pipe open

    @property
    def pid(self) -> int:
        """The id of the process of OpenSSH."""
        return self._process.pid

    def _greeting(self) -> dict[str, Any] | None:
        """Read up to the greeting; what a shell's start files print comes before it."""
        line = bytearray()
        for _ in range(1 << 16):
            byte = self.read(1)
            if not byte:
                return None
            line += byte
            if byte == b"\n":
                text = line.decode(errors="replace").strip()
                if text.startswith(GREETING):
                    with suppress(ValueError):
                        return dict(json.loads(text.removeprefix(GREETING)))
                self._said.append(text)
                line.clear()
        return None

    def _read_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101  it was asked for
        with self._process.stderr as stderr:
            for line in stderr:
                self._said.append(line.decode(errors="replace").rstrip())

    def _other_version(self, there: str) -> str:
        host = self._host
        return (
            f"{host.address} has unet-napari {there}, and this computer {__version__}. Install "
            f"the same there: {install_command(host)}"
        )

    def _trouble(self, known: str) -> NoConnectionError:
        said = "\n".join(self._said)
        name = self._host.address
        for words, text, passing in _troubles(self._host):
            if any(word in said for word in words):
                return NoConnectionError(text, passing=passing)
        status = self._process.returncode
        if status == _NOT_FOUND or "No such file or directory" in said:
            text = (
                f"There is no '{self._host.python}' on {name}: give the command of the Python "
                "that has unet-napari there, such as ~/unet/bin/python."
            )
            return NoConnectionError(text)
        last = known or next((line for line in reversed(self._said) if line), "it said nothing")
        return NoConnectionError(
            f"The engine on {name} cannot be used: {last}. Try 'ssh {name}' in a terminal.",
            passing=self._again,
        )


def install_command(host: RemoteHost) -> str:
    """Return the command that installs this version there."""
    return f"ssh {host.address} {host.python} -m pip install unet-napari=={__version__}"


def _troubles(host: RemoteHost) -> list[tuple[tuple[str, ...], str, bool]]:
    """Return what OpenSSH or Python say, what to tell the user, and whether it may pass."""
    name = host.address
    unreached = ("Could not resolve", "Connection refused", "timed out", "No route to host",
                 "Network is unreachable", "Connection reset", "Connection closed")  # fmt: skip
    return [
        (
            ("IDENTIFICATION HAS CHANGED",),
            f"The key of {name} is another one than before: another computer may stand in for it. "
            "Ask who runs it; if the new key is right, remove the old one with "
            f"'ssh-keygen -R {name.rpartition('@')[2]}'.",
            False,
        ),
        (
            ("Host key verification failed",),
            f"The key of {name} is not known yet: run 'ssh {name}' once in a terminal, compare "
            "the fingerprint and say yes.",
            False,
        ),
        (
            ("Permission denied", "Too many authentication failures"),
            f"{name} does not accept your key, and no password is asked for: 'ssh {name}' has to "
            f"log in by itself ('ssh-copy-id {name}' copies your key there).",
            False,
        ),
        (
            unreached,
            f"{name} cannot be reached: check its name, the network, and that it is switched on.",
            True,
        ),
        (
            ("No module named 'unet_napari'", "No module named unet_napari"),
            f"The Python on {name} has no unet-napari {__version__}. Install it: "
            f"{install_command(host)}",
            False,
        ),
        (
            ("unrecognized arguments", "arguments are required", "unknown option -P",
             "Unknown option: -P"),
            f"{name} has another version of unet-napari or of Python than this computer. Install "
            f"the same there: {install_command(host)}",
            False,
        ),
    ]  # fmt: skip
