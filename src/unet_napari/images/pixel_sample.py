"""A bounded, repeatable sample of an image of any size, up to its very edges."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unet_napari.images.image import Image

__all__ = ["sample_blocks"]

# Number of pixels per channel in a sample. They are enough for the 99.8th percentile to be steady
# to a few per mille, and few enough to be sorted in a tenth of a second.
SAMPLE_SIZE = 2 * 2**20
# Number of pixels that may be decoded to get the sample out of large compressed chunks.
DECODED_SIZE = 64 * 2**20
MOST_BLOCKS = 64
FEWEST_BLOCKS = 4
# Number of blocks from which on each block is taken with its mirror images. Of fewer blocks, each
# tells more at a place of its own.
_MIRRORED_BLOCKS = 16


def sample_blocks(image: Image, pixels: int | None = None) -> list[NDArray[Any]]:
    """Read all of a small image, or blocks from all over a large one.

    The blocks are compact, because a strided view would pull every chunk of the file through the
    decoder. They are spread evenly along every axis, from the first pixel to the last, and they are
    mirror images of each other, so that a flipped image is sampled at the same pixels.

    Parameters
    ----------
    image
        The image; its free time axis is sampled too.
    pixels
        Number of pixels of the sample, per channel; by default `SAMPLE_SIZE`.

    Returns
    -------
    list of numpy.ndarray
        Blocks of shape ``(C, *block)``, which together have at most so many pixels per channel.
    """
    pixels = pixels or SAMPLE_SIZE
    stills = [image] if "T" in image.fixed else [image.select(T=t) for t in range(image.frames)]
    if len(stills) * math.prod(image.shape) <= pixels:
        return [still.read() for still in stills]
    count = _number_of_blocks(image)
    block = _block_shape(image.shape, max(1, pixels // count))
    starts = [range(len(stills)), *map(_starts, image.shape, block)]
    blocks = []
    for place in _spread_places(tuple(map(len, starts)), count):
        still, *corner = (along[i] for along, i in zip(starts, place, strict=True))
        box = Box.whole(block).shift(corner)
        blocks.append(stills[still].read(box.to_slices()))
    return blocks


def _number_of_blocks(image: Image) -> int:
    """Choose fewer, larger blocks where every block costs the decoding of a large chunk."""
    chunks = getattr(image.data, "chunks", None) or ()
    # The chunks of zarr have one size per axis, those of dask a tuple of sizes.
    decoded = math.prod(int(np.max(chunk)) for chunk in chunks)
    return min(MOST_BLOCKS, max(FEWEST_BLOCKS, DECODED_SIZE // decoded))


def _block_shape(shape: tuple[int, ...], pixels: int) -> tuple[int, ...]:
    """Cut each axis into equal parts: a square of the last two axes first, then the others."""
    block = [1] * len(shape)
    left = pixels
    for axis in reversed(range(len(shape))):
        most = math.isqrt(pixels) if axis == len(shape) - 1 else left
        block[axis] = math.ceil(shape[axis] / math.ceil(shape[axis] / max(1, most)))
        left //= block[axis]
    return tuple(block)


def _starts(size: int, block: int) -> list[int]:
    """Return the first pixels of blocks that cover an axis, symmetric about its middle."""
    parts = math.ceil(size / block)
    span = size - block
    first = [i * span // max(parts - 1, 1) for i in range(-(-parts // 2))]
    return first + [span - start for start in reversed(first[: parts // 2])]


def _spread_places(lattice: tuple[int, ...], count: int) -> list[tuple[int, ...]]:
    """Choose at most `count` places of a lattice, spread evenly along every axis.

    The places are Latin hypercubes (McKay, Beckman and Conover, Technometrics 21, 1979). Where
    every place brings along its mirror images, they are drawn in one half of each spatial axis. The
    first axis is time.
    """
    if math.prod(lattice) <= count:
        return list(np.ndindex(*lattice))
    cut = [n > 1 and count >= _MIRRORED_BLOCKS for n in lattice[1:]]  # axes to mirror
    halves = [lattice[0], *(-(-n // 2) if c else n for n, c in zip(lattice[1:], cut, strict=True))]
    images = 2 ** sum(cut)
    rng = np.random.default_rng(0)
    chosen: set[tuple[int, ...]] = set()
    while len(chosen) + images <= count:
        for time, *corner in _hypercube(halves, count // images, rng, shifted=bool(chosen)):
            sides = zip(corner, lattice[1:], cut, strict=True)
            both = [{i, n - 1 - i} if c else {i} for i, n, c in sides]
            if len(chosen) + images <= count:
                chosen.update(itertools.product([time], *both))
    return sorted(chosen)


def _hypercube(
    sizes: Sequence[int], count: int, rng: np.random.Generator, *, shifted: bool
) -> list[list[int]]:
    """Draw a Latin hypercube: along each axis one place in each of `count` equal parts of it."""
    parts = np.array([rng.permutation(count) for _ in sizes])
    within = rng.random(parts.shape) if shifted else 0.5  # in the middle of its part
    places = (parts + within) / count * np.transpose([sizes])
    drawn: list[list[int]] = places.astype(int).T.tolist()
    return drawn
