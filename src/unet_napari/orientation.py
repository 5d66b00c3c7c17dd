"""Flips and turns of an image: the symmetries that its grid of pixels has. No torch.

Training shows patches in all of them, and test-time augmentation averages over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Orientation"]


@dataclass(frozen=True)
class Orientation:
    """One way to look at an image without resampling it: axes are exchanged, then some flipped.

    Attributes
    ----------
    axes : tuple of int
        For each spatial axis of the view, the spatial axis of the image that it runs along, from 0.
    signs : tuple of int
        For each spatial axis of the view, 1, or -1 where it runs backwards along that axis.
    """

    axes: tuple[int, ...]
    signs: tuple[int, ...]

    @classmethod
    def plain(cls, ndim: int) -> Orientation:
        """Return the orientation of an image as it is, with `ndim` spatial axes."""
        return cls(tuple(range(ndim)), (1,) * ndim)

    @property
    def turned(self) -> bool:
        """Whether axes are exchanged; together with flips this makes the quarter turns."""
        return self.axes != tuple(range(len(self.axes)))

    @property
    def flipped(self) -> tuple[int, ...]:
        """Axes of the view that run backwards, counted from the last one: -1 is X."""
        ndim = len(self.axes)
        return tuple(axis - ndim for axis, sign in enumerate(self.signs) if sign < 0)

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array (..., *S) seen this way, without a copy."""
        leading = array.ndim - len(self.axes)
        order = (*range(leading), *(leading + axis for axis in self.axes))
        return np.flip(array.transpose(order), self.flipped)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape that the view of an array of this shape (..., *S) has."""
        leading = len(shape) - len(self.axes)
        return (*shape[:leading], *(shape[leading + axis] for axis in self.axes))

    def matrix(self) -> NDArray[np.float64]:
        """Return the map from directions in the view to those in the image, (ndim, ndim)."""
        matrix = np.zeros((len(self.axes), len(self.axes)))
        for j, (axis, sign) in enumerate(zip(self.axes, self.signs, strict=True)):
            matrix[axis, j] = sign
        return matrix
