"""One object, or painted cell, that is worth a look. Free of torch, for the napari side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DoubtSummary", "DoubtfulObject", "runs_of"]


@dataclass(frozen=True)
class DoubtfulObject:
    """A place to look at next.

    Attributes
    ----------
    doubt : float
        0 (nothing speaks against it) to 1.
    reason : str
        Why, in a few words, such as ``"two seeds, weak boundary"``.
    number : int
        Id of the object in the labels, or of the painted cell.
    point : tuple of int
        A pixel of it, along all axes of the labels.
    painted : bool
        Whether it is a painted cell that is predicted otherwise: perhaps a mistake in the labels.
    size : int
        Its number of pixels.
    missed : bool
        Whether it is no object of the labels, but perhaps a cell that was not found; `number` is 0
        then.
    box : tuple of (int, int)
        Of a missed cell: where it lies along all axes of the labels, start and stop.
    runs : tuple of (int, int)
        Of a missed cell: its pixels in the box, as first pixel and length of each run through the
        flattened box.
    """

    doubt: float
    reason: str
    number: int
    point: tuple[int, ...]
    painted: bool = False
    size: int = 0
    missed: bool = False
    box: tuple[tuple[int, int], ...] = ()
    runs: tuple[tuple[int, int], ...] = ()

    def mask(self) -> NDArray[np.bool_]:
        """Return the pixels of a missed cell in its box."""
        inside = np.zeros([stop - start for start, stop in self.box], bool)
        for first, length in self.runs:
            inside.reshape(-1)[first : first + length] = True
        return inside


@dataclass(frozen=True)
class DoubtSummary:
    """How far the objects of an image are to be doubted.

    Attributes
    ----------
    objects : int
        Their number; in a film, and slice by slice, in all frames together.
    mean : float or None
        Mean doubt, 0 to 1; None where there is no object.
    worst : DoubtfulObject or None
        The most doubtful one.
    """

    objects: int
    mean: float | None
    worst: DoubtfulObject | None


def runs_of(mask: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Return the runs of a mask: first pixel and length of each, through the flattened array."""
    edges = np.flatnonzero(np.diff(mask.ravel().astype(np.int8), prepend=0, append=0))
    starts, stops = edges[::2].tolist(), edges[1::2].tolist()
    return tuple((start, stop - start) for start, stop in zip(starts, stops, strict=True))
