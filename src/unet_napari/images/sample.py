"""A bounded, repeatable sample of an image of any size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images.image import Image

__all__ = ["sample_blocks"]

# Pixels per channel in a sample: enough for the 99.8th percentile to be steady to a few
# per mille, little enough to sort in a tenth of a second.
SAMPLE_SIZE = 2 * 2**20
# Pixels that may be decoded to get the sample out of large compressed chunks.
DECODED_SIZE = 64 * 2**20
MOST_BLOCKS = 64
FEWEST_BLOCKS = 4


def sample_blocks(image: Image) -> list[NDArray[Any]]:
    """Read all of a small image, or blocks from all over a large one.

    Compact blocks, because a strided view would pull every chunk of the file through the
    decoder; the places are drawn with a fixed seed.

    Parameters
    ----------
    image
        Its free time axis is sampled too.

    Returns
    -------
    list of numpy.ndarray
        Shape ``(C, *block)`` each, at most `SAMPLE_SIZE` pixels per channel together.
    """
    stills = [image] if "T" in image.fixed else [image.select(T=t) for t in range(image.frames)]
    if len(stills) * math.prod(image.shape) <= SAMPLE_SIZE:
        return [still.read() for still in stills]
    count = _number_of_blocks(image)
    block = _block_shape(image.shape, SAMPLE_SIZE // count)
    places = [range(len(stills)), *map(_starts, image.shape, block)]
    lattice = tuple(len(starts) for starts in places)
    total = math.prod(lattice)
    drawn = np.random.default_rng(0).choice(total, min(count, total), replace=False)
    blocks = []
    for index in np.transpose(np.unravel_index(np.sort(drawn), lattice)):
        still, *corner = (starts[i] for starts, i in zip(places, index, strict=True))
        region = tuple(slice(a, a + size) for a, size in zip(corner, block, strict=True))
        blocks.append(stills[still].read(region))
    return blocks


def _number_of_blocks(image: Image) -> int:
    """Choose fewer, larger blocks where every block costs the decoding of a large chunk."""
    chunks = getattr(image.data, "chunks", None) or ()
    # zarr has one size per axis, dask a tuple of them
    decoded = math.prod(int(np.max(chunk)) for chunk in chunks)
    return min(MOST_BLOCKS, max(FEWEST_BLOCKS, DECODED_SIZE // decoded))


def _block_shape(shape: tuple[int, ...], pixels: int) -> tuple[int, ...]:
    """Fill a square of the last two axes first, then grow along the others."""
    side = math.isqrt(pixels)
    block = [1] * len(shape)
    left = pixels
    for axis in reversed(range(len(shape))):
        wanted = side if axis >= len(shape) - 2 else left
        block[axis] = max(1, min(shape[axis], wanted, left))
        left //= block[axis]
    return tuple(block)


def _starts(size: int, block: int) -> range:
    """First pixels of the blocks that fit side by side; the rest at the end is left out."""
    return range(0, size - block + 1, block)
