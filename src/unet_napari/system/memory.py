"""The memory of the computer that a process may still take. Free of torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import psutil

__all__ = ["NO_MEMORY", "free_memory"]

NO_MEMORY = (
    "The memory that is free does not suffice. Close other programs, or raise the limit under "
    "which this one runs (ulimit, container)."
)
"""What a user is told where memory has run out."""

_ROOT_FOLDER = Path("/")


class _Names(NamedTuple):
    """Names of the files and fields of a control group."""

    limits: tuple[str, ...]
    used: str
    reclaimable: tuple[str, ...]


# Reading a file fills the page cache, which counts as used memory of the group although the kernel
# gives it up as soon as it is needed. Files in memory (tmpfs) are in none of these two lists.
_VERSION_1 = _Names(
    ("memory.limit_in_bytes",),
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)
# Above memory.high nothing fails, but the process is slowed down until it hardly moves.
_VERSION_2 = _Names(
    ("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file")
)


def free_memory(root: Path = _ROOT_FOLDER) -> int:
    """Return the bytes that this process may still take, without swapping.

    It is the least of three numbers: the memory that the computer has free, the memory that is left
    to the container or job that the process runs in (all control groups of Linux from its own one
    upwards), and the memory that ``ulimit`` leaves.

    Parameters
    ----------
    root
        Folder that holds ``proc`` and ``sys``; another one than the usual is for tests.
    """
    free = psutil.virtual_memory().available
    return max(0, min([free, *_left_to_groups(root), *_left_by_limits(root)]))


def _left_to_groups(root: Path) -> Iterator[int]:
    """Yield the bytes left to each control group of the process that has a limit."""
    own = _own_groups(root)
    for mount, top, controllers in _mounts(root):
        path = own.get(controllers)
        if path is None:
            continue
        names = _VERSION_1 if controllers == "memory" else _VERSION_2
        for group in _upwards(mount, _below(path, top)):
            yield from _left_to_group(group, names)


def _own_groups(root: Path) -> dict[str, PurePosixPath]:
    """Return the group of the process by controller, "memory" (version 1) or "" (version 2)."""
    groups = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        name = "memory" if "memory" in controllers.split(",") else controllers
        groups[name] = PurePosixPath(path)
    return groups


def _mounts(root: Path) -> Iterator[tuple[Path, PurePosixPath, str]]:
    """Yield for each mount of groups that count memory its folder, its top group, its controller.

    The fields of the file are described in proc_pid_mountinfo(5).
    """
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        kind, _, options = (*after.split(" "), "", "")[:3]
        top, mount = before.split(" ")[3:5]
        if kind == "cgroup2":
            yield root / mount.lstrip("/"), PurePosixPath(top), ""
        elif kind == "cgroup" and "memory" in options.split(","):
            yield root / mount.lstrip("/"), PurePosixPath(top), "memory"


def _below(path: PurePosixPath, top: PurePosixPath) -> PurePosixPath:
    """Return a group relative to the top of a mount, which is often the group of a container."""
    return path.relative_to(top if path.is_relative_to(top) else "/")


def _upwards(mount: Path, group: PurePosixPath) -> Iterator[Path]:
    """Yield the folder of a group and of all groups that it is part of, as far as they are seen."""
    for path in (group, *group.parents):
        if ".." not in path.parts:
            yield mount / path


def _left_to_group(group: Path, names: _Names) -> Iterator[int]:
    """Yield the bytes left to one control group, if it has a limit."""
    limits = [int(text) for name in names.limits for text in _lines(group / name) if text != "max"]
    used = [int(text) for text in _lines(group / names.used)]
    if not limits or not used:
        return
    counts = dict(line.split(" ", 1) for line in _lines(group / "memory.stat"))
    cache = sum(int(counts.get(name, 0)) for name in names.reclaimable)
    yield min(limits) - max(0, used[0] - cache)


def _left_by_limits(root: Path) -> Iterator[int]:
    """Yield the bytes that the limits of the process leave, as set by ``ulimit``."""
    if sys.platform != "linux":
        return
    import resource

    status = dict(line.split(":", 1) for line in _lines(root / "proc/self/status"))
    for limit, used in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        size = resource.getrlimit(limit)[0]
        if size != resource.RLIM_INFINITY and used in status:
            yield size - 1024 * int(status[used].split()[0])


def _lines(file: Path) -> list[str]:
    """Return the lines of a file of the kernel; none if it does not exist or cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
