"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import errno
import functools
import os
import platform
import secrets
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import psutil

from unet_napari.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_output", "open_atomic"]

_BEGINNING = ".unet-"  # of the names of files that are being written


@contextmanager
def open_atomic(path: Path, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` in one step when the ``with`` block is left.

    Whatever happens before that, an exception, a full disk or the end of the process, leaves
    a file that was there intact.

    Raises
    ------
    OutputError
        If the folder is missing or read-only, the disk is full, or the file exists and
        `overwrite` is false.
    """
    check_output(path, overwrite=overwrite)
    _remove_leftovers(path.parent)
    temporary = path.parent / _temporary_name()
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_output(path: Path, *, overwrite: bool = True) -> None:
    """Raise `OutputError` now if `open_atomic` could not write this file later."""
    if "\0" in str(path):
        raise OutputError("A file name cannot hold a null character.")
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder; choose the name of a file.")
    if path.exists() and not overwrite:
        raise OutputError(f"'{path}' exists already; choose another name, or ask to overwrite it.")
    probe = path.parent / _temporary_name()
    try:
        probe.open("xb").close()
        probe.unlink()
    except OSError as error:
        raise _output_error(path, error) from error


def _temporary_name() -> str:
    return f"{_BEGINNING}{_home()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes have left that were killed while they wrote.

    What belongs to a process of another computer or container is left alone: whether that still
    runs cannot be seen from here.
    """
    with suppress(OSError):  # a folder that cannot be listed, or a file that somebody still holds
        for leftover in folder.glob(f"{_BEGINNING}{_home()}-*-*.tmp"):
            owner = leftover.name.removeprefix(_BEGINNING).split("-")[1]
            if owner.isdecimal() and not psutil.pid_exists(int(owner)):
                leftover.unlink(missing_ok=True)


@functools.cache
def _home() -> str:
    """Return a few letters that tell apart where process ids mean the same."""
    space = ""
    with suppress(OSError):  # there are such spaces on Linux only
        space = str(Path("/proc/self/ns/pid").stat().st_ino)
    return f"{zlib.crc32(f'{platform.node()} {space}'.encode()):08x}"


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself survive a power cut, where the system can do that."""
    with suppress(OSError):  # Windows cannot open a folder; the file itself is already safe
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _output_error(path: Path, error: OSError) -> OutputError:
    code = error.errno
    if code in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"The disk is full: '{path}' could not be saved. A file that was there before is "
            "unharmed; make room and save again."
        )
    if code == errno.ENOENT:
        return OutputError(f"The folder '{path.parent}' does not exist; create it first.")
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"The folder '{path.parent}' cannot be written to; choose another one.")
    return OutputError(f"'{path}' could not be saved: {error}.")
