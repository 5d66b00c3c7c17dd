"""What a running inference says about itself. Free of torch, for the napari side."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """One step of work is finished.

    Attributes
    ----------
    done, total : int
        Steps finished and steps in all; ``done == total`` means that the result is whole.
    stage : str
        What is being done, in words for the user, such as ``"network (CPU, tile 512 x 512)"``.
    region : tuple of (int, int), optional
        Where labels have been written since the last step: start and stop along every axis of
        the result. None: nowhere. What is written may still change until the result is whole.
    """

    done: int
    total: int
    stage: str
    region: tuple[tuple[int, int], ...] | None = None
