"""What the maps of the cells task say about a pixel. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CellRule", "pack"]


def pack(maps: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Round probabilities to 1/255, a quarter of the room; NaN becomes 0.

    All decoding starts from these, so it sees the same numbers whatever way they came.
    """
    packed: NDArray[np.uint8] = np.rint(np.nan_to_num(maps, nan=0.0) * 255).astype(np.uint8)
    return packed


@dataclass(frozen=True)
class CellRule:
    """Where cells are, where each begins and what parts them.

    Parameters
    ----------
    foreground_threshold
        Cells are where the foreground is above it; 0 to 1.
    seed_threshold
        They begin where ``foreground * distance``, too, is above this; 0 to 1.
    min_size
        Smaller objects, in pixels, are left out.
    boundary_threshold
        Two cells are one if the boundary between them is on average below it; 0 to 1. With 0
        every seed is a cell.
    """

    foreground_threshold: float
    seed_threshold: float
    min_size: int
    boundary_threshold: float = 0.0

    def mask(self, maps: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return where cells are, (*S), of packed maps (3, *S)."""
        mask: NDArray[np.bool_] = maps[0] > int(self.foreground_threshold * 255)
        return mask

    def seeds(self, maps: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return where cells begin: each connected part is one cell."""
        deep = maps[0].astype(np.uint16) * maps[2]
        seeds: NDArray[np.bool_] = (deep > int(self.seed_threshold * 255**2)) & self.mask(maps)
        return seeds

    def relief(self, maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what is flooded last: the boundary, where the foreground is weakest.

        The boundary alone has plateaus of 1 between cells, on which a cut could lie anywhere.
        """
        ridge = (maps[1].astype(np.uint16) + (255 - maps[0])) // 2
        relief: NDArray[np.uint8] = ridge.astype(np.uint8)
        return relief
