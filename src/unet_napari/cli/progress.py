"""One line on stderr that says how far a job is."""

from __future__ import annotations

import sys
import time

__all__ = ["ProgressLine", "human_time"]


def human_time(seconds: float) -> str:
    """Write a duration as a person would say it: ``45 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class ProgressLine:
    """Rewrites its line on a terminal; in a log, writes a new one every ten seconds.

    Parameters
    ----------
    title : str
        Stands at the start of the line.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._terminal = sys.stderr.isatty()
        self._last = 0.0

    def show(self, text: str, *, last: bool = False) -> None:
        """Show a text, unless the previous one is too recent to be replaced."""
        now = time.monotonic()
        if not last and now - self._last < (0.1 if self._terminal else 10):
            return
        self._last = now
        line = f"{self._title}: {text}"
        if self._terminal:
            print(f"\r\x1b[2K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)
