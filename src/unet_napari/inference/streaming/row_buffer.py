"""Memory for the rows that a stream keeps of one node.

It is used again and again: taking it anew for each strip costs as much as a convolution.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.inference.streaming.operations import ROWS

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["RowBuffer"]


class RowBuffer:
    """The rows of one node that are there: ``start .. stop`` of the whole result.

    They lie one after the other in a memory of some more rows. New rows are added at the end and
    old ones are forgotten at the beginning; where the end of the memory is reached, what is there
    moves to its front.

    Parameters
    ----------
    shape : tuple of int
        Shape (N, C, *S) of the whole result, N being 1, or 0 in a rehearsal.
    room : int
        Number of rows for which there is memory from the beginning.
    dtype : torch.dtype
        Type of the values.

    Attributes
    ----------
    start, stop : int
        The first row that is there, and the first one that is not there yet.
    """

    def __init__(
        self, shape: tuple[int, ...], room: int, dtype: torch.dtype = torch.float32
    ) -> None:
        self._shape, self._dtype = shape, dtype
        self._rows = self._allocate(room)
        self._offset = 0  # where row `start` lies in the memory
        self.start = 0
        self.stop = 0

    @property
    def room(self) -> int:
        """How many rows there is memory for."""
        return self._rows.shape[ROWS]

    def read(self, start: int, stop: int) -> Tensor:
        """Return rows, as a view."""
        return self._rows.narrow(ROWS, self._offset + start - self.start, stop - start)

    def append(self, count: int) -> Tensor:
        """Return room for the next rows, as a view to be filled."""
        kept = self.stop - self.start
        if self._offset + kept + count > self.room:
            self._move_to_front(kept, count)
        self.stop += count
        return self._rows.narrow(ROWS, self._offset + kept, count)

    def drop(self, start: int) -> None:
        """Forget the rows before `start`."""
        self._offset += start - self.start
        self.start = start

    def _move_to_front(self, kept: int, count: int) -> None:
        rows, offset = self._rows, self._offset
        if kept + count > self.room:
            self._rows = self._allocate(kept + count)
            self._rows.narrow(ROWS, 0, kept).copy_(rows.narrow(ROWS, offset, kept))
        else:
            for first in range(0, kept, offset):  # in pieces that do not overlap
                piece = min(offset, kept - first)
                target = rows.narrow(ROWS, first, piece)
                target.copy_(rows.narrow(ROWS, offset + first, piece))
        self._offset = 0

    def _allocate(self, count: int) -> Tensor:
        images, channels, _, *others = self._shape
        # Channels last, so that a strip of rows is one piece of memory.
        shape = (images, count, *others, channels)
        if images == 0 or count == 0:
            return torch.empty(shape, dtype=self._dtype).movedim(-1, 1)
        # Linux gives numpy pages of 2 MiB, and torch ones of 4 KiB, which take ten times as long.
        size = math.prod(shape) * self._dtype.itemsize
        memory = torch.from_numpy(np.empty(size, np.uint8))
        return memory.view(self._dtype).view(shape).movedim(-1, 1)
