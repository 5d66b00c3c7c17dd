"""What a table has to say about the machine it was measured on."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["conditions", "processor"]

_PACKAGES = ("torch", "monai", "openvino", "scikit-image", "numpy")


def conditions(threads: int) -> str:
    """Return processor, threads, versions and the command, in one line of Markdown."""
    versions = ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name)))
    words = [_without_place(word) for word in sys.argv[1:]]
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])
    return (
        f"{processor()}, {threads} of {os.cpu_count()} threads, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}; `{command}`."
    )


def processor() -> str:
    """Return the name of the processor."""
    information = Path("/proc/cpuinfo")
    text = information.read_text(encoding="utf-8") if information.exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found.group(1) if found else platform.processor() or platform.machine()


def _without_place(word: str) -> str:
    """Replace folders and files: where this machine keeps them tells nobody anything."""
    path = Path(word)
    return "DATA" if path.is_dir() else path.name if path.is_file() else word


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
