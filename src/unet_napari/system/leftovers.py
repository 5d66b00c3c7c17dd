"""Removal of temporary files, also of those that killed processes have left. Free of torch."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

__all__ = ["MEMORY_DISK", "remove_leftovers", "remove_with", "temporary_prefix"]

MEMORY_DISK = Path("/dev/shm")  # noqa: S108  a disk in memory, on Linux; folders in it are private

_TEMPORARY_NAME = re.compile(r"unet-napari-(\d+)-")
# Age in seconds at which a file may be removed. A container that shares the folder has processes
# that cannot be seen from here, but a file that one of them uses is younger.
_LEAST_AGE = 24 * 3600


def temporary_prefix() -> str:
    """Return how the names of this process's temporary files and folders begin."""
    return f"unet-napari-{os.getpid()}-"


def remove_with(array: np.memmap[Any, Any], path: Path) -> None:
    """Remove a file now, or where that is impossible (Windows), once its map is gone.

    Parameters
    ----------
    array
        The memory map of the file, or a view of it.
    path
        The file. If it cannot be removed then either, the next start of the program does it.
    """
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        # The map is still open while the array ends, so the file waits for the end of the map.
        weakref.finalize(array._mmap, _remove_quietly, path)  # type: ignore[attr-defined]


def remove_leftovers(folders: Iterable[Path] | None = None) -> None:
    """Remove temporary files and folders of processes that have ended; meant for a thread.

    Only files that are a day old are removed, as a process in a container of its own cannot be
    seen.

    Parameters
    ----------
    folders
        The folders that are looked through; by default those for temporary files.
    """
    for folder in folders or (Path(tempfile.gettempdir()), MEMORY_DISK):
        for path in folder.glob("unet-napari-*"):
            found = _TEMPORARY_NAME.match(path.name)
            if found and not psutil.pid_exists(int(found[1])) and _is_old(path):
                _remove_quietly(path)


def _is_old(path: Path) -> bool:
    try:
        newest = max(entry.lstat().st_mtime for entry in (path, *path.glob("*")))
    except OSError:  # The file belongs to somebody else, or it is gone meanwhile.
        return False
    return time.time() - newest > _LEAST_AGE


def _remove_quietly(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # The next start of the program tries again.
            path.unlink(missing_ok=True)
