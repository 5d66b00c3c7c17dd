"""One line on stderr that says how far a job is."""

from __future__ import annotations

import sys
import time

__all__ = ["ProgressLine"]


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

    def say(self, text: str) -> None:
        """Write lines that stay, above the line that is rewritten."""
        if self._terminal:
            print("\r\x1b[2K", end="", file=sys.stderr)
        print(f"{self._title}:\n  " + text.replace("\n", "\n  "), file=sys.stderr, flush=True)
