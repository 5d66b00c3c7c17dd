"""The meaning of the maps of the cells task for a single pixel. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CellRule", "pack"]


def pack(maps: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Round probabilities to multiples of 1/255, which take a quarter of the room; NaN becomes 0.

    All decoding starts from packed maps, so it sees the same numbers whatever way they came.
    """
    packed: NDArray[np.uint8] = np.rint(np.nan_to_num(maps, nan=0.0) * 255).astype(np.uint8)
    return packed


@dataclass(frozen=True)
class CellRule:
    """The rule that says where cells are, where each cell begins and what parts two cells.

    Parameters
    ----------
    foreground_threshold
        Foreground, 0 to 1, above which a pixel belongs to a cell.
    seed_threshold
        Product of foreground and distance, 0 to 1, above which a pixel of a cell is a seed.
    min_size
        Smallest size of an object, in pixels; smaller ones are left out.
    boundary_threshold
        Mean boundary between two cells, 0 to 1, below which they are one. With 0 every seed is a
        cell of its own.
    """

    foreground_threshold: float
    seed_threshold: float
    min_size: int
    boundary_threshold: float = 0.0

    def mask(self, maps: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return the mask of all cells, (*S), from packed maps (3, *S)."""
        mask: NDArray[np.bool_] = maps[0] > int(self.foreground_threshold * 255)
        return mask

    def seeds(self, maps: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return the mask of the seeds, (*S), each connected part of which is one seed."""
        deep = maps[0].astype(np.uint16) * maps[2]
        seeds: NDArray[np.bool_] = (deep > int(self.seed_threshold * 255**2)) & self.mask(maps)
        return seeds

    def relief(self, maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the height of each pixel for the flood, (*S): high at boundaries.

        It is the mean of the boundary and of what the foreground lacks. The boundary alone has
        plateaus of 1 between cells, on which a cut could lie anywhere; the foreground has its
        valley in their middle.
        """
        ridge = (maps[1].astype(np.uint16) + (255 - maps[0])) // 2
        relief: NDArray[np.uint8] = ridge.astype(np.uint8)
        return relief
