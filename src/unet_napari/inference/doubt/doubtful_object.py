"""One object, or painted cell, that is worth a look. Free of torch, for the napari side."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DoubtSummary", "DoubtfulObject"]


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
    """

    doubt: float
    reason: str
    number: int
    point: tuple[int, ...]
    painted: bool = False
    size: int = 0


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
