"""From an image to maps: the network over every tile, written where the tile belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from unet_napari.device import is_out_of_memory, release_memory
from unet_napari.errors import SettingsError
from unet_napari.inference.backends import OpenVinoBackend, TorchBackend, make_backend
from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.int8 import calibrate, sample_tiles, spread
from unet_napari.inference.operations import ROWS
from unet_napari.inference.plan import make_plan, smaller_plan
from unet_napari.inference.progress import Progress
from unet_napari.inference.tiles import read_continued
from unet_napari.inference.views import check_image, split_views

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.agreement import Agreement
    from unet_napari.inference.backends import Backend
    from unet_napari.inference.plan import Plan
    from unet_napari.inference.tiles import Region, Tile
    from unet_napari.model import Model

__all__ = ["Predictor", "Writable", "predict_steps"]


class Writable(Protocol):
    """What a result is written into: a NumPy array, memory map or zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis."""

    def __setitem__(self, key: Any, value: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        """Write a part, selected by integers and slices."""


def predict_steps(
    image: Image, model: Model, out: Writable, config: InferenceConfig | None = None
) -> Iterator[Progress]:
    """Predict the maps of an image, step by step; stop by no longer asking.

    Parameters
    ----------
    image : Image
        Of any size; only what a tile needs is read at a time.
    model : Model
        Left as it is.
    out : array-like
        float32, (K, *S), written tile by tile; with a time axis in the image (K, T, *S). K and
        the names of the maps are the task's.
    config : InferenceConfig, optional
        The settings.

    Yields
    ------
    Progress
        After each tile or strip.

    Raises
    ------
    ImageError
        If the image does not suit the model or holds no number.
    ResourceError
        If memory does not suffice for the smallest tiles.
    SettingsError
        If settings contradict each other or the model.

    Warns
    -----
    UnetNapariWarning
        See `check_image` and `make_plan`.
    """
    config = config or InferenceConfig()
    if config.rescale:
        raise SettingsError("Maps are not rescaled, only labels: leave rescale off.")
    check_image(image, model, config)
    views = split_views(image, model.ndim)
    statistics = model.normalisation.measure(image)
    predictor = Predictor(model, views[0].image.shape, config)
    predictor.calibrate((view.image for view in spread(views)), statistics)
    for position, view in enumerate(views):
        target = _Part(out, (slice(None), *view.index))
        for done, work in predictor.run(view.image, statistics, target):
            yield Progress(position * work + done, len(views) * work, predictor.stage)


class Predictor:
    """A model made ready for images of one shape.

    Parameters
    ----------
    model : Model
        Left as it is.
    shape : tuple of int
        Of the images, along the axes of the network.
    config : InferenceConfig
        The settings.
    """

    def __init__(self, model: Model, shape: tuple[int, ...], config: InferenceConfig) -> None:
        self._model = model
        self._config = config
        self._int8: Agreement | None = None
        self.plan = make_plan(model, shape, config)
        self._backend = _make_backend(model, self.plan)

    @property
    def stage(self) -> str:
        """What is being done, in words for the user."""
        int8 = "" if self._int8 is None else f"int8, {self._int8.describe()}, "
        return f"predicting ({int8}{self.plan.describe()})"

    def calibrate(self, images: Iterable[Image], statistics: Statistics) -> None:
        """Make an int8 network from tiles of these images; other precisions need none.

        Warns
        -----
        UnetNapariWarning
            If the int8 network decides noticeably differently than the fp32 one.
        """
        if self.plan.precision == "int8" and isinstance(self._backend, OpenVinoBackend):
            tiles = sample_tiles(self._model, images, statistics, self.plan.grid)
            self._int8 = calibrate(self._backend, self._model.task, tiles)

    def run(self, image: Image, statistics: Statistics, out: Writable) -> Iterator[tuple[int, int]]:
        """Predict one image into `out` (K, *S); yield (work done, work in all) again and again.

        Where memory runs out, the image is started again with smaller tiles, then on the CPU.
        """
        while True:
            try:
                yield from self._run(image, statistics, out)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            else:
                return
            # After the except clause: the traceback of the error keeps the tensors alive.
            release_memory(self.plan.device)
            self._adopt(smaller_plan(self.plan, self._model, self._config))

    def _run(
        self, image: Image, statistics: Statistics, out: Writable
    ) -> Iterator[tuple[int, int]]:
        tiles = self.plan.tiles
        work = sum(tile.outer.shape[0] + tile.core.shape[0] for tile in tiles)  # rows in and out
        finished = 0
        for tile in tiles:
            for rows_in, start, logits in self._outputs(image, statistics, tile):
                region, crop = tile.part(start, logits.shape[ROWS])
                if region.size:
                    maps = self._model.task.activate(logits)[0]
                    out[(slice(None), *region.slices)] = maps[:, *crop].cpu().numpy()
                rows_out = region.stop[0] - tile.core.start[0]
                yield finished + rows_in + rows_out, work
            finished += tile.outer.shape[0] + tile.core.shape[0]

    def _outputs(
        self, image: Image, statistics: Statistics, tile: Tile
    ) -> Iterator[tuple[int, int, Tensor]]:
        """Yield rows of input that were read, first row of output, logits (1, K, *rows)."""

        def read(region: Region) -> NDArray[np.float32]:
            pixels = read_continued(image, region, tile.margin)
            return self._model.normalisation.apply(pixels, statistics)[np.newaxis]

        if self.plan.strip is None or not isinstance(self._backend, TorchBackend):
            yield tile.outer.shape[0], 0, self._backend.logits(read(tile.outer))
            return
        shape = (1, self._model.channels, *tile.outer.shape)
        stream = self._backend.stream(shape, self.plan.strip)
        strips = tile.outer.strips(self.plan.strip)
        for start, logits in stream.run(torch.from_numpy(read(strip)) for strip in strips):
            yield stream.taken, start, logits

    def _adopt(self, plan: Plan) -> None:
        if plan.device != self.plan.device:
            self._backend = _make_backend(self._model, plan)
        self.plan = plan


def _make_backend(model: Model, plan: Plan) -> Backend:
    return make_backend(model.network, plan.backend, plan.device, plan.precision)


class _Part:
    """The part of a result that one view is written into."""

    def __init__(self, out: Writable, index: tuple[Any, ...]) -> None:
        self._out, self._index = out, index
        self.shape = out.shape[:1] + out.shape[len(index) :]

    def __setitem__(self, key: Any, value: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        first, *rest = key
        self._out[(first, *self._index[1:], *rest)] = value
