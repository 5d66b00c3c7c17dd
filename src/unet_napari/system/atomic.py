"""Files and folders that appear under their name only when they are whole."""

from __future__ import annotations

import errno
import functools
import os
import platform
import secrets
import shutil
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import psutil

from unet_napari.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Replacement",
    "check_output",
    "open_atomic",
    "remove_all",
    "remove_partials",
    "replace_when_whole",
]

# Name of a file that is being written: the name of the final one, this, who writes it, and an end.
_MARK, _END = ".unet-", ".tmp"
_NAME_LENGTH = 40  # characters of the final name; a file name has at most 255 bytes


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
    try:
        with replace_when_whole(path) as replacement, replacement.partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _output_error(path, error) from error


class Replacement:
    """What is written beside a file, or a folder, to take its place when it is whole.

    Attributes
    ----------
    partial
        Path to write to; there is nothing yet.
    alternative
        Another such path, for what is better than the first but may fail.
    """

    def __init__(self, path: Path) -> None:
        self.partial, self.alternative = (_temporary(path) for _ in range(2))
        self._whole = self.partial

    @property
    def whole(self) -> Path:
        """Path of what takes the place in the end."""
        return self._whole

    def take_alternative(self) -> None:
        """Let `alternative` take the place."""
        self._whole = self.alternative


@contextmanager
def replace_when_whole(path: Path) -> Iterator[Replacement]:
    """Write a file or a folder beside `path` and put it in its place when the block ends well.

    If the block is left by an exception, nothing remains, and what was there before is still there.

    Raises
    ------
    OutputError
        If what was written cannot be put in its place. Errors of the block come out as they are.
    """
    _remove_leftovers(path.parent)
    replacement = Replacement(path)
    try:
        yield replacement
        try:
            _put_in_place(replacement.whole, path)
            _sync_folder(path.parent)
        except OSError as error:
            raise _output_error(path, error) from error
    finally:
        remove_all(replacement.partial)
        remove_all(replacement.alternative)


def remove_partials(path: Path) -> None:
    """Remove what anybody has left of an output that was not finished, on any computer.

    Only for a caller who knows that nobody is writing it.
    """
    beginning = f".{path.name[:_NAME_LENGTH]}{_MARK}"
    for partial in path.parent.iterdir():
        if partial.name.startswith(beginning) and partial.name.endswith(_END):
            remove_all(partial)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Raise `OutputError` now if a file could not be written later."""
    if "\0" in str(path):
        raise OutputError("A file name cannot hold a null character.")
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder; choose the name of a file.")
    if path.exists() and not overwrite:
        raise OutputError(f"'{path}' exists already; choose another name, or ask to overwrite it.")
    probe = _temporary(path)
    try:
        probe.open("xb").close()
        probe.unlink()
    except OSError as error:
        raise _output_error(path, error) from error


def _temporary(path: Path) -> Path:
    who = f"{_home()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.parent / f".{path.name[:_NAME_LENGTH]}{_MARK}{who}{_END}"


def _put_in_place(whole: Path, path: Path) -> None:
    """Rename; a folder, which cannot be replaced in one step, makes way first."""
    if not path.is_dir():
        whole.replace(path)
        return
    old = _temporary(path)
    path.rename(old)
    try:
        whole.rename(path)
    except OSError:
        old.rename(path)
        raise
    remove_all(old)


def remove_all(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    # After an error zarr's other threads go on with the chunks they had begun, and make the
    # folder anew for them; so it has to stay away.
    for _ in range(20):
        shutil.rmtree(path, ignore_errors=True)
        time.sleep(0.05)
        if not path.exists():
            return


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes have left that were killed while they wrote.

    What belongs to a process of another computer or container is left alone: whether that still
    runs cannot be seen from here.
    """
    with suppress(OSError):  # a folder that cannot be listed, or a file that somebody still holds
        for leftover in folder.glob(f".*{_MARK}{_home()}-*-*{_END}"):
            owner = leftover.name.rpartition(_MARK)[2].split("-")[1]
            if owner.isdecimal() and not psutil.pid_exists(int(owner)):
                remove_all(leftover)


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
