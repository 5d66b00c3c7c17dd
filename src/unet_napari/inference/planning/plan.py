"""What a plan consists of: where an image is predicted, in which pieces, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from unet_napari.inference.summary import PlanSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from unet_napari.inference.planning.cost import Cost
    from unet_napari.inference.tiles import Grid, Tile
    from unet_napari.orientation import Orientation

__all__ = ["AHEAD", "BEHIND", "Plan"]

# Bytes that kernels and the allocator take at least.
_KERNEL_BYTES = 32 * 2**20

AHEAD: Final = 1
"""Pieces that have been read and wait for the network."""
BEHIND: Final = 1
"""Pieces that the network has finished and that wait to be written."""


@dataclass(frozen=True)
class Plan:
    """How one image is predicted.

    Attributes
    ----------
    shape : tuple of int
        Shape of the image, along the axes of the network.
    grid : Grid
        Grid on which the image may be cut.
    tile : tuple of int
        Outer shape of every tile, or of every column that a stream goes down.
    strip : int or None
        Rows that a stream takes at a time; None for tiles that are taken as a whole.
    batch : int
        Tiles that the network takes at a time.
    variants : tuple of Orientation
        The flips and turns of each tile that the maps are the mean of.
    cost : Cost
        Cost of one batch or column. Its memory is all that the backend and the pipeline hold,
        its operations are those of one tile and one orientation.
    backend : str
        Name of what computes the network, see `unet_napari.inference.backends.table`.
    device : torch.device
        Device on which it computes.
    precision : str
        Number format in which it computes.
    reason : str
        Why this way was chosen, for the user: "..., because `reason`".
    """

    shape: tuple[int, ...]
    grid: Grid
    tile: tuple[int, ...]
    strip: int | None
    batch: int
    variants: tuple[Orientation, ...]
    cost: Cost
    backend: str
    device: torch.device
    precision: str
    reason: str

    @property
    def tiles(self) -> list[Tile]:
        """The tiles, in C order."""
        return self.grid.tiles(self.shape, self.tile)

    def batches(self) -> Iterator[list[Tile]]:
        """Yield the tiles that the network takes together."""
        tiles = iter(self.tiles)
        while batch := list(islice(tiles, self.batch)):
            yield batch

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return self.grid.fit(self.shape, self.tile)[1]

    @property
    def memory(self) -> int:
        """What the run is expected to need beyond the model, in bytes, within 25 %."""
        return self.cost.memory + _KERNEL_BYTES

    @property
    def operations(self) -> int:
        """Floating-point operations for the whole image."""
        return self.count * len(self.variants) * self.cost.operations

    @property
    def way(self) -> str:
        """How the image goes through the network: one tile, streamed, columns or tiles."""
        if self.strip is None:
            return "one tile" if self.count == 1 else "tiles"
        return "streamed" if self.count == 1 else "columns"

    def rows_at_once(self, variant: Orientation) -> int:
        """Return the rows of a strip of one variant: about as many pixels as in every other."""
        strip = self.strip or self.tile[0]
        across = math.prod(variant.shape(self.tile)[1:])
        return max(1, strip * math.prod(self.tile[1:]) // across)

    def describe(self) -> str:
        """Return the plan in a few words."""
        return f"{self.backend} on {self.device.type}, {self.way}"

    def summary(self, seconds: float | None = None) -> PlanSummary:
        """Return what is shown to the user, with the time it will take where that is known."""
        return PlanSummary(
            way=self.way,
            reason=self.reason,
            backend=self.backend,
            device=self.device.type,
            precision=self.precision,
            shape=self.shape,
            tile=self.tile,
            tiles=self.count,
            strip=self.strip,
            halo=self.grid.halo if self.count > 1 else (0,) * len(self.shape),
            batch=self.batch,
            variants=len(self.variants),
            memory=self.memory,
            seconds=seconds,
        )
