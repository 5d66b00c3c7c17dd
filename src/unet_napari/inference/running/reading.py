"""Reading an image as the network wants it: in parts, normalised, continued at its border."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from unet_napari.geometry import Box
    from unet_napari.images import Image, Statistics
    from unet_napari.inference.tiles import Tile
    from unet_napari.model.model import Model

    Floats = NDArray[np.float32]

__all__ = ["Reader", "chunk_rows", "chunk_slabs", "continued", "read_continued"]


class Reader:
    """Reads parts of an image as the network wants them.

    Parameters
    ----------
    model : Model
        Model whose normalisation is applied.
    image : Image
        Image with the spatial axes of the network.
    statistics : Statistics
        Brightness of the image, or of the whole of which it is a part.
    """

    def __init__(self, model: Model, image: Image, statistics: Statistics) -> None:
        self._normalisation = model.normalisation
        self._image, self._statistics = image, statistics

    def batch(self, tiles: Sequence[Tile]) -> Floats:
        """Return what the network sees of some tiles, (N, C, *S)."""
        parts = [read_continued(self._image, tile.outer, tile.margin) for tile in tiles]
        return np.stack([self._normalisation.apply(part, self._statistics) for part in parts])

    def strips(self, tile: Tile, rows: int, limit: int, taken: int = 0) -> Iterator[Floats]:
        """Yield what the network sees of a tile in strips of at most `rows` rows, (1, C, *rows).

        The first `taken` rows, which end where a strip ends, are left out.

        Chunks of the file that are higher than a strip are read once, several strips at a time, if
        that takes no more than `limit` bytes.
        """
        skipped = tile.outer.start[0] + taken
        for slab in chunk_slabs(self._image, tile.outer, rows, limit):
            if slab.stop[0] <= skipped:
                continue
            pixels = read_continued(self._image, slab, tile.margin)
            height = pixels.shape[1]
            step = math.ceil(height / math.ceil(height / rows))
            for row in range(max(skipped - slab.start[0], 0), height, step):
                part = pixels[:, row : row + step]
                yield self._normalisation.apply(part, self._statistics)[np.newaxis]


def continued(start: int, stop: int, size: int, margin: int) -> NDArray[np.intp]:
    """Return which pixels of an axis stand at the positions ``start .. stop``.

    Up to `margin` positions beyond either end the axis is reflected about the centre of its last
    pixel, as often as it takes, so any size works, one included; farther out the value
    stays: with a size of 4 and a margin of 2, ``2 2 1 | 0 1 2 3 | 2 1 1 1``.
    """
    positions = np.arange(start, stop).clip(-margin, size - 1 + margin)
    period = max(2 * (size - 1), 1)
    folded = positions % period
    indices: NDArray[np.intp] = np.minimum(folded, period - folded)
    return indices


def read_continued(image: Image, box: Box, margin: tuple[int, ...]) -> NDArray[Any]:
    """Read a box of an image that may reach beyond its border, see `continued`.

    Only the pixels that are needed are read from the image.

    Returns
    -------
    ndarray, (C, *box.shape)
        In the dtype of the image.
    """
    indices = [
        continued(*axis) for axis in zip(box.start, box.stop, image.shape, margin, strict=True)
    ]
    array = image.read(tuple(slice(int(i.min()), int(i.max()) + 1) for i in indices))
    for axis, index in enumerate(indices, start=1):
        if len(index) != array.shape[axis] or index[0] > index[-1]:
            array = array.take(index - index.min(), axis=axis)
    return array


def chunk_slabs(image: Image, box: Box, rows: int, limit: int) -> Iterator[Box]:
    """Cut a box along its first axis so that each chunk of the file lies in one slab.

    Parameters
    ----------
    image : Image
        The image, whose data may tell its chunks, as zarr and dask arrays do.
    box : Box
        It may reach beyond the image.
    rows : int
        A slab has about as many, or as many as a chunk if these are more.
    limit : int
        Bytes; where a chunk's rows of the box are more, slabs have `rows` rows.

    Yields
    ------
    Box
        Boxes in order, which together are the whole box.
    """
    chunk = chunk_rows(image) or 1
    height = max(rows // chunk, 1) * chunk
    row = image.channels * math.prod(box.shape[1:]) * image.data.dtype.itemsize
    if height > rows and height * row > limit:
        height = rows
    start = box.start[0]
    while start < box.stop[0]:
        stop = min((start // height + 1) * height, box.stop[0])
        yield box.replace_axis(0, start, stop)
        start = stop


def chunk_rows(image: Image) -> int | None:
    """Return how many rows a chunk of the image's file has; None where it has no chunks."""
    chunks = getattr(image.data, "chunks", None)
    if not chunks:
        return None
    sizes = chunks[image.axes.index(image.spatial_axes[0])]
    return sizes if isinstance(sizes, int) else max(sizes)  # dask names every chunk's size
