"""Room on a disk for a file that is written through memory maps."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from typing import IO, TYPE_CHECKING

from unet_napari.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_full", "make_folder", "reserve"]


def reserve(file: IO[bytes], size: int) -> None:
    """Give a file its size, and claim the room on the disk for it.

    Writing through a memory map to a full disk raises no error but kills the process. On disks
    that cannot reserve room, this function only finds out whether there is enough of it.

    Parameters
    ----------
    file
        The file, opened for writing.
    size
        Size of the file, in bytes.

    Raises
    ------
    OSError
        If the disk has no room for it.
    """
    file.flush()
    file.truncate(size)
    if sys.platform == "win32" or _reserve_room(file.fileno(), size):  # Windows does so by itself
        return
    if shutil.disk_usage(file.fileno()).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_full(error: BaseException) -> bool:
    """Tell whether an error, or what caused it, is that the disk of a result is full."""
    if not isinstance(error, OutputError | OSError):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        cause = cause.__cause__
    return False


def make_folder(folder: Path) -> None:
    """Make the folder that results go into, and those above it.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.") from error


def _reserve_room(descriptor: int, size: int) -> bool:
    """Reserve room, and return whether the system and the disk could do so."""
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        return False
    return True
