"""Whether two label images are the same, and if not, where they differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.geometry import Box

if TYPE_CHECKING:
    from unet_napari.images import LazyArray

__all__ = ["LabelDifference", "compare_labels"]

_AT_ONCE = 2**24  # pixels that are compared at a time


@dataclass(frozen=True)
class LabelDifference:
    """How two label images of one shape differ.

    Attributes
    ----------
    axes
        Letters of the axes.
    pixels
        Number of pixels.
    different
        Number of pixels that have another label.
    foreground
        Number of pixels that are background in one of the two only.
    first
        Position of the first different pixel, in C order of the parts; None if there is none.
    highest
        The highest number in each.
    """

    axes: str
    pixels: int
    different: int
    foreground: int
    first: tuple[int, ...] | None
    highest: tuple[int, int]

    def describe(self) -> str:
        """Say it in a sentence."""
        if self.first is None:
            return "The labels are the same, bit for bit."
        where = ", ".join(f"{a} {i}" for a, i in zip(self.axes, self.first, strict=True))
        return (
            f"The labels differ in {self.different:,} of {self.pixels:,} pixels "
            f"({self.different / self.pixels:.2%}), for the first time at {where}; "
            f"{self.foreground:,} of them are background in one of the two only. "
            f"The highest number was {self.highest[0]:,} and is {self.highest[1]:,} now."
        )


def compare_labels(before: LazyArray, now: LazyArray, axes: str) -> LabelDifference:
    """Compare two label images of one shape, part by part."""
    different = foreground = 0
    first: tuple[int, ...] | None = None
    highest = [0, 0]
    shape = tuple(int(size) for size in before.shape)
    for box in Box.whole(shape).slabs_of(_AT_ONCE):
        old, new = (np.asarray(labels[box.to_slices()]) for labels in (before, now))
        highest = [max(highest[0], int(old.max())), max(highest[1], int(new.max()))]
        unlike = old != new
        if not unlike.any():
            continue
        different += int(np.count_nonzero(unlike))
        foreground += int(np.count_nonzero((old != 0) != (new != 0)))
        if first is None:
            place = np.unravel_index(int(np.argmax(unlike)), unlike.shape)
            first = tuple(int(i) + a for i, a in zip(place, box.start, strict=True))
    both = (highest[0], highest[1])
    return LabelDifference(axes, math.prod(shape), different, foreground, first, both)
