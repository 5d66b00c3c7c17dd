"""Cutting an image into tiles, and the rules that make seams impossible.

All coordinate arithmetic of the inference lives in `Tile`, `Grid` and the `Box` that they are
made of, so that no code elsewhere tells 2D from 3D. An axis is cut on its own (`_AxisCut`) and an
image is the product of its axes (`Grid.tiles`), an idea of StarDist's `big.py`.

The rules, per axis:

* every cut lies on the stride grid of the network, so that pooling windows fall where they
  fall without tiles;
* what the network sees of a tile reaches `halo` pixels of real neighbours beyond the core,
  and is clipped at the image, so that the network's own padding acts at the true border only;
* beyond the true border the image is continued as it would be for the whole image at once:
  mirrored as far as the margin of a network without padding, then the last pixel repeated, as
  `unet_napari.networks.Network` does with sizes that do not fit its layers;
* every tile of an image has the same outer shape, so that one compiled graph and one memory
  estimate serve them all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

from unet_napari.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Grid", "Tile"]


@dataclass(frozen=True)
class Tile:
    """What one run of the network computes.

    Attributes
    ----------
    core : Box
        The pixels of the result that this tile writes; inside the image.
    outer : Box
        The pixels that the network sees; may reach beyond the image, see
        `unet_napari.inference.running.reading.continued`.
    margin : tuple of int
        Pixels that the network loses on each side (``padding="valid"``), else zeros.
    """

    core: Box
    outer: Box
    margin: tuple[int, ...]

    def part(self, start: int, rows: int) -> tuple[Box, Box]:
        """Find out what some rows of the network's output for `outer` are good for.

        Parameters
        ----------
        start, rows : int
            The first of the rows along the first axis, and how many there are.

        Returns
        -------
        box : Box
            The part of the core that they cover; perhaps empty.
        crop : Box
            Its place within them.
        """
        output = self.outer.grow(tuple(-m for m in self.margin))
        first = output.start[0] + start
        begin = max(self.core.start[0], first)
        end = max(begin, min(self.core.stop[0], first + rows))
        box = self.core.replace_axis(0, begin, end)
        return box, box.shift((-first, *(-start for start in output.start[1:])))


@dataclass(frozen=True)
class Grid:
    """How images may be cut for one network.

    Attributes
    ----------
    stride : tuple of int
        Total down-sampling of the network: cuts are multiples of it.
    halo : tuple of int
        Pixels beyond a core, on each side, that the network is shown besides its margin.
    margin : tuple of int
        Pixels that the network loses on each side, zeros for ``padding="same"``.
    surplus : tuple of int
        The network turns ``k * stride + surplus + 2 * margin`` pixels into
        ``k * stride + surplus``; zeros for ``padding="same"``, 4 for the U-Net of 2015.
    """

    stride: tuple[int, ...]
    halo: tuple[int, ...]
    margin: tuple[int, ...]
    surplus: tuple[int, ...]

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the smallest input shape of the network whose output covers `shape`."""
        everything = tuple(
            size + stride + 2 * margin
            for size, stride, margin in zip(shape, self.stride, self.margin, strict=True)
        )
        return self.fit(shape, everything)[0]

    def smallest_tile(self) -> tuple[int, ...]:
        """Return the outer shape of the smallest tile that a longer image can be cut into."""
        return self.input_shape(
            tuple(
                (2 * math.ceil(h / s) + 1) * s for h, s in zip(self.halo, self.stride, strict=True)
            )
        )

    def tiles(self, shape: tuple[int, ...], tile: tuple[int, ...]) -> list[Tile]:
        """Cut an image into tiles whose outer shape is at most `tile`.

        The cores cover each pixel of the image exactly once. An axis that fits into the tile
        stays whole; along the others the tile is made as large as the halo demands where it
        was asked for smaller.

        Parameters
        ----------
        shape : tuple of int
            Shape of the image, at least 1 along each axis.
        tile : tuple of int
            Largest outer shape.

        Returns
        -------
        list of Tile
            Tiles in C order, all with the same outer shape.
        """
        blocks = product(*(list(axis.blocks()) for axis in self._axes(shape, tile)))
        return [
            Tile(
                Box(tuple(b[0] for b in block), tuple(b[1] for b in block)),
                Box(tuple(b[2] for b in block), tuple(b[3] for b in block)),
                self.margin,
            )
            for block in blocks
        ]

    def fit(self, shape: tuple[int, ...], tile: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
        """Return the outer shape and the number of the tiles that `tiles` would return."""
        axes = self._axes(shape, tile)
        return tuple(axis.outer for axis in axes), math.prod(axis.count for axis in axes)

    def next_smaller(
        self, shape: tuple[int, ...], tile: tuple[int, ...], *, first: int = 0
    ) -> tuple[int, ...] | None:
        """Return the next smaller tile, cut along its longest axis in units of the smallest tile.

        Axes that are short compared with the halo stay whole: cutting them saves little.

        Parameters
        ----------
        shape : tuple of int
            Shape of the image.
        tile : tuple of int
            Outer shape at present.
        first : int
            Axes before this one are not cut.

        Returns
        -------
        tuple of int or None
            None if the tile cannot get smaller.
        """
        least = self.smallest_tile()
        axes = range(first, len(tile))
        for axis in sorted(axes, key=lambda axis: tile[axis] / least[axis], reverse=True):
            if tile[axis] <= least[axis]:
                continue
            # Ask for less and less until the cut, which is rounded to the grid, gives in.
            largest = max(int(tile[axis] * 0.8), least[axis])
            for wanted in range(largest, least[axis] - 1, -self.stride[axis]):
                asked = (*tile[:axis], wanted, *tile[axis + 1 :])
                smaller = self.fit(shape, asked)[0]
                if smaller[axis] < tile[axis]:
                    return smaller
        return None

    def _axes(self, shape: tuple[int, ...], tile: tuple[int, ...]) -> list[_AxisCut]:
        rules = zip(shape, tile, self.stride, self.halo, self.margin, self.surplus, strict=True)
        return [_AxisCut(*axis) for axis in rules]


@dataclass(frozen=True)
class _AxisCut:
    """How one axis is cut.

    With everything counted in strides: `count` blocks of `length` start evenly spread, and as
    ``length - 2 * context`` is at least the distance between two starts, the core of each block
    may begin one context after its own start and end where the next core begins.
    """

    size: int
    tile: int
    stride: int
    halo: int
    margin: int
    surplus: int

    @property
    def total(self) -> int:
        return max(0, math.ceil((self.size - self.surplus) / self.stride))

    @property
    def context(self) -> int:
        return math.ceil(self.halo / self.stride)

    @property
    def count(self) -> int:
        longest = (self.tile - 2 * self.margin - self.surplus) // self.stride
        longest = max(longest, 2 * self.context + 1)
        if self.total <= longest:
            return 1
        return math.ceil((self.total - 2 * self.context) / (longest - 2 * self.context))

    @property
    def length(self) -> int:
        return math.ceil((self.total + 2 * self.context * (self.count - 1)) / self.count)

    @property
    def outer(self) -> int:
        return self.length * self.stride + self.surplus + 2 * self.margin

    def blocks(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (core start, core stop, outer start, outer stop) of each block."""
        spread = self.total - self.length
        starts = [i * spread // max(self.count - 1, 1) for i in range(self.count)]
        cores = [0, *((start + self.context) * self.stride for start in starts[1:]), self.size]
        for start, (begin, end) in zip(starts, pairwise(cores), strict=True):
            outer = start * self.stride - self.margin
            yield begin, end, outer, outer + self.outer
