"""One line on stderr that says how far a job is."""

from __future__ import annotations

import sys
import time

from unet_napari.defaults import LONG_RUN
from unet_napari.system.text import human_time

__all__ = ["Foresight", "ProgressLine"]


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


class Foresight:
    """Says, after the first of several images, how long all of them will take, if that is long.

    Parameters
    ----------
    total : int
        Number of images.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._started = time.monotonic()
        self._said = total < 2

    def done(self) -> None:
        """Note that an image is done."""
        seconds = (time.monotonic() - self._started) * self._total
        if not self._said and seconds > LONG_RUN:
            print(
                f"All {self._total} images will take about {human_time(seconds)}. If that is "
                "stopped, the labels written so far stay, and --resume goes on with the others.",
                file=sys.stderr,
                flush=True,
            )
        self._said = True
