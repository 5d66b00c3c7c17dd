"""How an image is cut into regions, each of which is predicted by one worker."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from unet_napari.geometry import Box
from unet_napari.tasks.decoding.blocks import block_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unet_napari.inference.tiles import Grid

__all__ = ["Cut", "cut_regions"]

# Pixels along each axis of a chunk of the maps, about, for networks of two and of three axes.
_CHUNK = {2: 256, 3: 64}
_STEP = 0.8
# Regions per thread up to which it is played through who predicts which.
_MOST_PLAYED = 8


@dataclass(frozen=True)
class Cut:
    """How an image is cut into regions.

    Attributes
    ----------
    shape : tuple of int
        Shape of the image, along the axes of the network.
    region : tuple of int
        Extent of a region; those at the far ends may be smaller.
    context : tuple of int
        Pixels around a region that the network has to see.
    chunk : tuple of int
        Chunk of the maps, of which regions are multiples, so that no two workers write into one.
    """

    shape: tuple[int, ...]
    region: tuple[int, ...]
    context: tuple[int, ...]
    chunk: tuple[int, ...]

    @cached_property
    def boxes(self) -> list[Box]:
        """The regions, in C order."""
        return Box.whole(self.shape).blocks(self.region)

    @property
    def count(self) -> int:
        """How many regions there are."""
        parts = zip(self.shape, self.region, strict=True)
        return math.prod(math.ceil(size / length) for size, length in parts)

    def outer(self, box: Box) -> Box:
        """Return what the network is shown of a region.

        It is an image of its own for the network: it starts where the network's strides start in
        the whole image, it ends at the true border or beyond the halo of the region, and so what
        is predicted of the region is what is predicted of it in the whole image.
        """
        return box.grow(self.context).clip(self.shape)

    @property
    def largest(self) -> int:
        """Number of pixels that the network is shown of the largest region."""
        axes = zip(self.shape, self.region, self.context, strict=True)
        return math.prod(
            max(
                min(start + length + more, size) - max(start - more, 0)
                for start in range(0, size, length)
            )
            for size, length, more in axes
        )

    @property
    def repeated(self) -> float:
        """How many times as many pixels as the image has are computed, halos included."""
        return sum(self.outer(box).size for box in self.boxes) / math.prod(self.shape)

    def duration(self, images: int, threads: int) -> int:
        """Return how long some threads take, in pixels that one of them predicts meanwhile."""
        if images * self.count > _MOST_PLAYED * threads:  # the ends hardly matter
            return math.ceil(images * self.count / threads) * self.largest
        busy = [0] * threads
        for _ in range(images):
            for box in self.boxes:
                heapq.heapreplace(busy, busy[0] + self.outer(box).size)
        return max(busy)


def cut_regions(
    shape: Sequence[int], grid: Grid, images: int, threads: int, most_pixels: int
) -> Cut:
    """Choose the regions with which all workers together are done first.

    Parameters
    ----------
    shape
        Shape of the image, along the axes of the network.
    grid
        Halo, margin and strides of the network.
    images
        Number of images of this shape, whose regions are predicted at the same time.
    threads
        Number of regions that are predicted at a time.
    most_pixels
        Pixels that a worker has room for, those around a region included.
    """
    shape = tuple(shape)
    chunk = tuple(max(1, round(_CHUNK[len(shape)] / stride)) * stride for stride in grid.stride)
    context = tuple(
        math.ceil((halo + margin) / stride) * stride
        for halo, margin, stride in zip(grid.halo, grid.margin, grid.stride, strict=True)
    )
    cuts = [Cut(shape, region, context, chunk) for region in _sizes(shape, chunk)]
    fitting = [cut for cut in cuts if cut.largest <= most_pixels]

    # Of cuts that take equally long the one with the smallest regions: a lost one costs least.
    return min(fitting or cuts[-1:], key=lambda cut: (cut.duration(images, threads), cut.largest))


def _sizes(shape: tuple[int, ...], chunk: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield regions from the whole image down to a chunk, each a fifth smaller than the last."""
    pixels, least = math.prod(shape), math.prod(chunk)
    yield shape
    while pixels > least:
        pixels = max(round(pixels * _STEP), least)
        yield block_shape(shape, pixels, chunk)
