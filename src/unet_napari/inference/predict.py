"""From an image to maps: the network over every tile, written where the tile belongs."""

from __future__ import annotations

import math
import time
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unet_napari.device import is_out_of_memory, release_memory
from unet_napari.inference.backends import OpenVinoBackend, TorchBackend, make_backend
from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.cost import rehearse
from unet_napari.inference.int8 import calibrate, sample_tiles, spread
from unet_napari.inference.pipeline import read_ahead, write_behind
from unet_napari.inference.plan import make_plan, smaller_plan
from unet_napari.inference.progress import Progress, with_time_left
from unet_napari.inference.reading import Reader
from unet_napari.inference.unfinished import Position
from unet_napari.inference.views import check_image, split_views

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.agreement import Agreement
    from unet_napari.inference.backends import Backend
    from unet_napari.inference.layout import Plan
    from unet_napari.inference.pipeline import Writable
    from unet_napari.inference.stream import Stream
    from unet_napari.inference.summary import PlanSummary
    from unet_napari.inference.tiles import Tile
    from unet_napari.inference.unfinished import Journal
    from unet_napari.model import Model

    Floats = NDArray[np.float32]
    Output = tuple[Sequence[Tile], int, int, Floats]

__all__ = ["Part", "Predictor", "predict_steps"]

# Below so many operations a prediction takes a few seconds, and nobody asks how long.
_WORTH_TIMING = 2e11
# Of the tile that the speed is measured on.
_TIMED_PIXELS = 2**15


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
    return with_time_left(_predict_steps(image, model, out, config or InferenceConfig()))


def _predict_steps(
    image: Image, model: Model, out: Writable, config: InferenceConfig
) -> Iterator[Progress]:
    config.check_unscaled()
    check_image(image, model, config)
    views = split_views(image, model.ndim)
    statistics = model.normalisation.measure(image)
    predictor = Predictor(model, views[0].image.shape, config)
    predictor.calibrate((view.image for view in spread(views)), statistics)
    told = predictor.plan
    plan: PlanSummary | None = predictor.summary(len(views))
    yield Progress(0, len(views) * predictor.work, predictor.stage, plan=plan)
    for position, view in enumerate(views):
        target = Part(out, (slice(None), *view.index))
        for done, work in predictor.run(view.image, statistics, target):
            plan = None if predictor.plan is told else predictor.summary()
            told = predictor.plan
            done += position * work
            yield Progress(done, len(views) * work, predictor.stage, plan=plan)


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

    Attributes
    ----------
    plan : Plan
        How they are predicted; another one after memory ran out.
    """

    def __init__(self, model: Model, shape: tuple[int, ...], config: InferenceConfig) -> None:
        self._model = model
        self._config = config
        self._int8: Agreement | None = None
        self._tiles_done = 0
        self._stream: Stream | None = None
        self.plan = make_plan(model, shape, config)
        self._backend = _make_backend(model, self.plan)

    @property
    def stage(self) -> str:
        """What is being done, in words for the user."""
        int8 = "" if self._int8 is None else f"int8, {self._int8.describe()}, "
        return f"predicting ({int8}{self.plan.describe()})"

    @property
    def work(self) -> int:
        """Rows in and out of the network that `run` counts to, while the plan stays."""
        return self.plan.count * self._work_of_a_tile

    @property
    def _work_of_a_tile(self) -> int:
        rows = (variant.shape(self.plan.tile)[0] for variant in self.plan.variants)
        return sum(2 * (size - self.plan.grid.margin[0]) for size in rows)

    def summary(self, images: int = 1) -> PlanSummary:
        """Return the plan for the user, with the time for so many images where it is worth saying.

        The speed of this computer is measured on a small tile first, in some tenths of a second.
        """
        operations = images * self.plan.operations
        if operations < _WORTH_TIMING:
            return self.plan.summary()
        return self.plan.summary(operations / self._speed())

    def _speed(self) -> float:
        """Return the operations per second that the backend reaches on a small tile."""
        plan, axes = self.plan, self._model.ndim
        shape = plan.grid.fit(plan.shape, (round(_TIMED_PIXELS ** (1 / axes)),) * axes)[0]
        batch = np.zeros((1, self._model.channels, *shape), np.float32)
        seconds = math.inf
        for _ in range(2):  # the first one warms up
            started = time.perf_counter()
            for _ in self._maps_of(batch, shape[0]):
                pass
            seconds = min(seconds, time.perf_counter() - started)
        return rehearse(self._model.network, batch.shape).operations / seconds

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

    def run(
        self,
        image: Image,
        statistics: Statistics,
        out: Writable,
        journal: Journal | None = None,
    ) -> Iterator[tuple[int, int]]:
        """Predict one image into `out` (K, *S); yield (work done, work in all) again and again.

        With a journal it begins where that says, and notes there how far `out` is final.

        What has been yielded as all the work is in `out`; before, the last pieces are on their way
        there. Where memory runs out, the image is started again with fewer tiles at a time, then
        with smaller ones, then on the CPU.
        """
        while True:
            try:
                yield from self._run(image, statistics, out, journal)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            else:
                return
            # After the except clause: the traceback of the error keeps the tensors alive.
            release_memory(self.plan.device)
            self._adopt(smaller_plan(self.plan, self._model, self._config))

    def _run(
        self, image: Image, statistics: Statistics, out: Writable, journal: Journal | None
    ) -> Iterator[tuple[int, int]]:
        work = self.work
        begin = None if journal is None else journal.position
        if begin is None or begin.plan != self._cut:
            begin = Position(plan=self._cut)
        steps = self._outputs(Reader(self._model, image, statistics), begin)
        with write_behind(out) as (write, flush), closing(steps):
            for tiles, done, start, maps in steps:
                for tile, rows in zip(tiles, maps, strict=True):
                    region, crop = tile.part(start, rows.shape[1])
                    if region.size:
                        write((slice(None), *region.slices), rows[:, *crop])
                if journal is not None and journal.due():
                    flush()
                    journal.save(self._position())
                if done < work:
                    yield done, work
        yield work, work

    @property
    def _cut(self) -> str:
        """All of the plan that a `Position` depends on."""
        plan = self.plan
        parts = (plan.describe(), plan.shape, plan.tile, plan.strip, plan.batch, plan.grid)
        return repr((*parts, len(plan.variants), plan.cost.memory))

    def _position(self) -> Position:
        """Return what has been computed."""
        rows = {} if self._stream is None else self._stream.state()
        return Position(0, self._tiles_done, self._cut, rows)

    def _outputs(self, reader: Reader, begin: Position) -> Generator[Output]:
        """Yield tiles, work done so far, first row of their maps, and rows of these (N, K, *S)."""
        plan, finished = self.plan, begin.tiles * self._work_of_a_tile
        self._tiles_done, self._stream = begin.tiles, None
        if plan.strip is not None and len(plan.variants) == 1:
            limit = plan.cost.memory // 8
            kept = begin.stream
            for tile in plan.tiles[begin.tiles :]:
                self._stream = self._new_stream(plan.tile, plan.strip, kept)
                unread = reader.strips(tile, plan.strip, limit, self._stream.taken)
                with closing(read_ahead(unread)) as strips:
                    for done, start, maps in self._streamed(self._stream, strips):
                        yield [tile], finished + done, start, maps
                finished += self._work_of_a_tile
                self._tiles_done, self._stream, kept = self._tiles_done + 1, None, {}
            return
        left = islice(plan.batches(), begin.tiles // plan.batch, None)
        source = ((tiles, reader.batch(tiles)) for tiles in left)
        with closing(read_ahead(source)) as batches:
            for tiles, batch in batches:
                for done, maps in self._averaged(batch):
                    if done == self._work_of_a_tile:
                        self._tiles_done += len(tiles)
                    yield tiles, finished + done * len(tiles), 0, maps
                finished += self._work_of_a_tile * len(tiles)

    def _averaged(self, batch: Floats) -> Iterator[tuple[int, Floats]]:
        """Yield work done on each tile, and the mean of the maps of all variants at the end."""
        plan, finished = self.plan, 0
        if len(plan.variants) == 1:
            for done, _, maps in self._maps_of(batch, plan.tile[0]):
                yield done, maps
            return
        margins = [2 * margin for margin in plan.grid.margin]
        sizes = (n - m for n, m in zip(batch.shape[2:], margins, strict=True))
        total = np.zeros((len(batch), self._model.task.out_channels, *sizes), np.float32)
        for variant in plan.variants:
            seen = variant.view(total)
            turned = variant.view(batch).copy()
            for done, start, maps in self._maps_of(turned, plan.rows_at_once(variant)):
                seen[:, :, start : start + maps.shape[2]] += maps
                if finished + done < self._work_of_a_tile:
                    yield finished + done, total[:, :, :0]
            finished += done
        total /= len(plan.variants)
        yield finished, total

    def _maps_of(self, batch: Floats, strip: int) -> Iterator[tuple[int, int, Floats]]:
        """Yield work done, first row, and rows of the maps of a batch (N, C, *S) in memory."""
        if self.plan.strip is None:
            maps = self._activated(self._backend.logits(batch))
            yield batch.shape[2] + maps.shape[2], 0, maps
            return
        strips = (batch[:, :, row : row + strip] for row in range(0, batch.shape[2], strip))
        yield from self._streamed(self._new_stream(batch.shape[2:], strip), strips)

    def _new_stream(
        self, shape: tuple[int, ...], strip: int, kept: Mapping[str, Tensor] | None = None
    ) -> Stream:
        assert isinstance(self._backend, TorchBackend)  # noqa: S101  others do not stream
        stream = self._backend.stream((1, self._model.channels, *shape), strip)
        if kept:
            stream.restore(kept)
        return stream

    def _streamed(
        self, stream: Stream, strips: Iterable[Floats]
    ) -> Iterator[tuple[int, int, Floats]]:
        """Yield work done, first row, and rows of the maps of an image in strips (1, C, *rows)."""
        for start, logits in stream.run(torch.from_numpy(rows) for rows in strips):
            maps = self._activated(logits)
            yield stream.taken + start + maps.shape[2], start, maps

    def _activated(self, logits: Tensor) -> Floats:
        maps: Floats = self._model.task.activate(logits).cpu().numpy()
        return maps

    def _adopt(self, plan: Plan) -> None:
        if plan.device != self.plan.device:
            self._backend = _make_backend(self._model, plan)
        self.plan = plan


def _make_backend(model: Model, plan: Plan) -> Backend:
    return make_backend(model.network, plan.backend, plan.device, plan.precision)


class Part:
    """The part of a result that one view is written into."""

    def __init__(self, out: Writable, index: tuple[Any, ...]) -> None:
        self._out, self._index = out, index
        self.shape = out.shape[:1] + out.shape[len(index) :]

    def __setitem__(self, key: Any, value: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        first, *rest = key
        self._out[(first, *self._index[1:], *rest)] = value
