"""The program that SSH starts on a host: it carries bytes to the session's attendant and back."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from unet_napari._version import __version__
from unet_napari.engine.remote import attendant
from unet_napari.engine.remote.connection import GREETING
from unet_napari.errors import EngineError
from unet_napari.system.leftovers import remove_leftovers
from unet_napari.system.subprocesses import detached

if TYPE_CHECKING:
    import argparse

__all__ = ["visit"]

_SESSION = re.compile(r"[0-9a-f]{32}")
_START_TIME = 50.0  # seconds in which the attendant has to be there
_BYTES = 1 << 16  # carried at a time


def visit(stdin: BinaryIO, stdout: BinaryIO, arguments: argparse.Namespace) -> None:
    """Greet the client, and connect it with its session.

    Parameters
    ----------
    stdin, stdout
        The client's pipes.
    arguments
        ``jobs``, ``trains``, ``session``, ``version``, ``again`` and ``end``, see ``python -m
        unet_napari.engine.worker --help``.
    """
    greeting: dict[str, Any] = {"version": __version__}
    door = None
    if arguments.version == __version__:
        try:
            if arguments.end:
                _end(arguments)
            else:
                door = _door(arguments)
        except EngineError as error:
            greeting["problem"] = str(error)
    stdout.write(f"{GREETING}{json.dumps(greeting)}\n".encode())
    stdout.flush()
    if door is not None:
        _carry(stdin, stdout, door)
    os._exit(0)  # whatever the other thread waits for


def _door(arguments: argparse.Namespace) -> socket.socket:
    """Return a connection to the attendant, which is started if the session is new."""
    if not hasattr(socket, "AF_UNIX"):
        raise EngineError("a host has to run Linux or macOS.")
    if not _SESSION.fullmatch(arguments.session):
        raise EngineError("this is no name of a session.")
    folder = _folder(arguments)
    process = None
    if not arguments.again:
        process = _start(folder, arguments)
    elif not folder.is_dir() or folder.lstat().st_uid != os.getuid():
        raise EngineError("the engine there has ended meanwhile, as nobody came back in time.")
    deadline = time.monotonic() + _START_TIME
    while True:
        door = socket.socket(socket.AF_UNIX)
        try:
            door.connect(attendant.socket_in(folder))
        except OSError as error:
            door.close()
            dead = process is not None and process.poll() is not None
            if dead or time.monotonic() > deadline:
                said = (folder / "log").read_text(errors="replace").strip() or str(error)
                raise EngineError(f"the engine cannot be started: {said[-400:]}") from error
            time.sleep(0.02)
        else:
            return door


def _end(arguments: argparse.Namespace) -> None:
    """End the attendant of a session that nobody comes back to."""
    if _SESSION.fullmatch(arguments.session):
        with suppress(OSError, ValueError):  # it has ended by itself
            os.kill(int((_folder(arguments) / "pid").read_text()), signal.SIGTERM)


def _folder(arguments: argparse.Namespace) -> Path:
    return Path(tempfile.gettempdir()) / f"unet-napari-{arguments.session}"


def _start(folder: Path, arguments: argparse.Namespace) -> subprocess.Popen[bytes]:
    """Start an attendant that goes on when this connection is lost."""
    threading.Thread(target=remove_leftovers, daemon=True).start()
    folder.mkdir(mode=0o700)
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-P", "-m", attendant.__name__, str(folder), arguments.jobs]
        process = subprocess.Popen(  # noqa: S603  our own module, no shell
            [*command, *(["--trains"] if arguments.trains else [])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **detached(),
        )
    (folder / "pid").write_text(str(process.pid))
    return process


def _carry(stdin: BinaryIO, stdout: BinaryIO, door: socket.socket) -> None:
    """Carry bytes both ways until one side has ended."""
    over = threading.Event()

    def to_attendant() -> None:
        with suppress(OSError):
            while data := os.read(stdin.fileno(), _BYTES):
                door.sendall(data)
        over.set()

    def to_client() -> None:
        with suppress(OSError):
            while data := door.recv(_BYTES):
                stdout.write(data)
                stdout.flush()
        over.set()

    for work in (to_attendant, to_client):
        threading.Thread(target=work, daemon=True).start()
    over.wait()
    with suppress(OSError):
        door.shutdown(socket.SHUT_RDWR)
