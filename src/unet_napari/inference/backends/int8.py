"""Networks in int8: calibrated on tiles of the image at hand, and compared with fp32 there.

Static quantisation after training (Jacob et al. 2018, arXiv:1712.05877): weights and features are
rounded to 8 bits, within the ranges that the features have on a few examples. NNCF finds the
ranges and corrects the biases, OpenVINO computes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from unet_napari.errors import SettingsError, warn_user
from unet_napari.inference.backends.agreement import Agreement, measure_agreement
from unet_napari.inference.running.reading import read_continued

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.backends.backend import Quantisable
    from unet_napari.inference.planning.tiles import Grid
    from unet_napari.model.model import Model
    from unet_napari.tasks import Task

__all__ = ["calibrate", "check_int8", "quantise", "sample_tiles", "spread"]

Sampled = TypeVar("Sampled")

# Number of views (frames, slices) that tiles are taken from, and of tiles looked at in each.
_VIEWS_SAMPLED = 4
_TILES_PER_VIEW = 8
# Pixels of a tile, and how many of the most varied tiles are kept: half of them calibrate,
# half of them are compared. Some 100,000 values per channel fix a range well enough.
_TILE_PIXELS = 2**16
_TILES_KEPT = 16
# Below this share of pixels decided as in fp32 the user is warned.
_LEAST_AGREEMENT = 0.99


def check_int8() -> None:
    """Raise `SettingsError` if a package that int8 needs is not installed."""
    missing = [name for name in ("openvino", "nncf") if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"The precision int8 needs {' and '.join(missing)}, not installed here. Install with: "
            'pip install "unet-napari[int8]", or choose another precision.'
        )


def quantise(graph: Any, batches: Sequence[NDArray[np.float32]]) -> Any:  # noqa: ANN401  untyped
    """Return an OpenVINO graph in int8.

    Parameters
    ----------
    graph : openvino.Model
        Graph in fp32, of the shape of the batches. It is left as it is.
    batches : sequence of ndarray
        Examples of its input.
    """
    import nncf

    nncf.set_log_level(logging.ERROR)
    # It draws a progress bar on stdout, which belongs to the results of the command line.
    with contextlib.redirect_stdout(io.StringIO()):
        return nncf.quantize(
            graph,
            nncf.Dataset(batches),
            subset_size=len(batches),
            target_device=nncf.TargetDevice.CPU,
            # Ranges that need not begin at zero: a quarter fewer pixels changed.
            preset=nncf.QuantizationPreset.MIXED,
        )


def calibrate(backend: Quantisable, task: Task, tiles: Sequence[NDArray[np.float32]]) -> Agreement:
    """Change a backend to int8 and tell how well it agrees with what it said in fp32.

    Parameters
    ----------
    backend : Quantisable
        Backend that computes in fp32 so far.
    task : Task
        What the output of its network means.
    tiles : sequence of ndarray
        Tiles from `sample_tiles`. Every second one calibrates, and the agreement is that on the
        others; a single tile does both.

    Warns
    -----
    UnetNapariWarning
        If fewer than 99 % of the pixels are decided alike.
    """
    examples, others = tiles[0::2], tiles[1::2] or tiles
    reference = [backend.logits(tile) for tile in others]
    backend.quantise(examples)
    agreement = measure_agreement(task, reference, backend.logits, others)
    if agreement.same < _LEAST_AGREEMENT:
        warn_user(
            f"In int8 the model decides only {agreement.describe()}. If that matters, choose the "
            "precision auto.",
            stacklevel=3,
        )
    return agreement


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
        Where the images may be cut.

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
