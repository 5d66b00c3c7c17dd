"""Which rows of its input a layer needs for which rows of its output.

A row is everything at one position of the first spatial axis. Two rules cover every layer of our
networks: a window that slides (convolution, pooling, and with a window of one row everything that
works pixel by pixel) and a step up to a finer grid (transposed convolution, interpolation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["RowRule", "Spread", "WindowRule"]


class RowRule(Protocol):
    """The rule of one layer. Rows are counted from the start of the image; none is cut off."""

    def ready(self, available: int) -> int:
        """Return how many output rows follow from the first `available` rows of more."""

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Return the input rows that the output rows ``start .. stop`` are computed from.

        They may reach beyond the image, where a layer pads or stops.
        """


@dataclass(frozen=True)
class WindowRule:
    """Output row ``i`` is computed from `extent` rows from ``i * stride - padding`` on."""

    extent: int = 1
    stride: int = 1
    padding: int = 0

    def ready(self, available: int) -> int:
        """Return how many windows end within the first `available` rows."""
        return max(0, (available + self.padding - self.extent) // self.stride + 1)

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows from the first window's start to the last one's end."""
        first = start * self.stride - self.padding
        return first, (stop - 1) * self.stride - self.padding + self.extent


@dataclass(frozen=True)
class Spread:
    """Each input row makes `scale` output rows, with `context` neighbours on each side."""

    scale: int
    context: int = 0

    def ready(self, available: int) -> int:
        """Return the output rows of all input rows whose neighbours are there."""
        return max(0, available - self.context) * self.scale

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Return the input rows and their neighbours."""
        return start // self.scale - self.context, -(-stop // self.scale) + self.context
