"""A few tiles of the images at hand, on which a network in int8 is calibrated and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from unet_napari.inference.running.reading import read_continued

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.tiles import Grid
    from unet_napari.model.model import Model

__all__ = ["sample_tiles", "spread"]

Sampled = TypeVar("Sampled")

# Number of views (frames, slices) that tiles are taken from, and of tiles looked at in each.
_VIEWS_SAMPLED = 4
_TILES_PER_VIEW = 8
# Pixels of a tile, and how many of the most varied tiles are kept: half of them calibrate,
# half of them are compared. Some 100,000 values per channel fix a range well enough.
_TILE_PIXELS = 2**16
_TILES_KEPT = 16


def spread(views: Sequence[Sampled]) -> Sequence[Sampled]:
    """Return a few of the views, evenly spread."""
    return views[:: -(-len(views) // _VIEWS_SAMPLED)]


def sample_tiles(
    model: Model, images: Iterable[tuple[Image, Statistics]], grid: Grid
) -> list[NDArray[np.float32]]:
    """Read a few tiles of images of one shape, normalised, the most varied first.

    Tiles without objects would teach a range in which objects do not fit, so those with the
    largest standard deviation are kept of some that are drawn at random, the same each time.

    Parameters
    ----------
    model : Model
        Model whose network will be shown the tiles.
    images : iterable of (Image, Statistics)
        Images with the spatial axes of the network, and how bright each is as a whole.
    grid : Grid
        Grid on which the images may be cut.

    Returns
    -------
    list of ndarray, (1, C, *S), float32
        At least one, all of one shape.
    """
    tiles = [
        model.normalisation.apply(pixels, statistics)[np.newaxis]
        for image, statistics in images
        for pixels in _draw(image, grid)
    ]
    return sorted(tiles, key=lambda tile: float(tile.std()), reverse=True)[:_TILES_KEPT]


def _draw(image: Image, grid: Grid) -> Iterator[NDArray[Any]]:
    edge = round(_TILE_PIXELS ** (1 / len(image.shape)))
    tiles = grid.tiles(image.shape, (edge,) * len(image.shape))
    drawn = np.random.default_rng(0).permutation(len(tiles))[:_TILES_PER_VIEW]
    for index in sorted(drawn.tolist()):
        yield read_continued(image, tiles[index].outer, tiles[index].margin)
