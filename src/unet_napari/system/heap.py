"""Keeping of memory that is freed and soon needed again with the process. Free of torch.

Each layer of a network frees tens of megabytes and asks for as many, and so does each prediction.
By default the C library of Linux returns them to the system and fetches them again, zeroed page by
page, which can take longer than the layer.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["keep_freed_memory", "return_freed_memory"]

# Time after the last use until the memory goes back. The next run of a user who looks at a result
# and goes on comes sooner. Where memory is scarce, the plan of that run takes back what is kept.
_IDLE_SECONDS = 60.0
# Parameters of mallopt(3): how much memory may lie unused before it is returned to the system, and
# the size from which on a piece of memory comes from the system directly.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# The values that glibc itself goes up to when a program frees large pieces.
_USUAL_MMAP = 32 * 2**20
_USUAL_TRIM = 2 * _USUAL_MMAP


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Keep freed memory for what comes next; a minute afterwards it returns to the system.

    Nothing is done where the C library is not glibc. The peak of the memory does not grow.
    """
    library = _glibc()
    if library is None:
        yield
        return
    heap = _heap()
    heap.enter(library)
    try:
        yield
    finally:
        heap.leave(library)


def return_freed_memory() -> None:
    """Return the kept memory to the system at once, where the C library is glibc."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


class _Heap:
    """A count of the users of the heap, which several threads may be."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._timer: threading.Timer | None = None

    def enter(self, library: Any) -> None:  # noqa: ANN401  a library has no type
        with self._lock:
            self._users += 1
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            library.mallopt(_MMAP_THRESHOLD, 2**30)
            library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)

    def leave(self, library: Any) -> None:  # noqa: ANN401
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
            self._timer = threading.Timer(_IDLE_SECONDS, self._release, [library])
            self._timer.daemon = True
            try:
                self._timer.start()
            except RuntimeError:  # no memory even for a thread
                self._timer = None
                _trim(library)

    def _release(self, library: Any) -> None:  # noqa: ANN401
        with self._lock:
            if self._users == 0:  # nobody came between the timer's end and the lock
                _trim(library)


def _trim(library: Any) -> None:  # noqa: ANN401
    library.mallopt(_MMAP_THRESHOLD, _USUAL_MMAP)
    library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM)
    library.malloc_trim(0)


@cache
def _heap() -> _Heap:
    return _Heap()


@cache
def _glibc() -> Any:  # noqa: ANN401  a library has no type
    """Return the C library if it is glibc: others (musl, Apple's, Microsoft's) need no help."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
