"""One object, or painted cell, that is worth a look. Free of torch, for the napari side."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DoubtfulObject"]


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
