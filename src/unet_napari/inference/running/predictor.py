"""A model made ready for images of one shape: planned, timed, run again where memory ran out."""

from __future__ import annotations

import math
import time
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.inference.backends.backend import OpenVinoBackend, make_backend
from unet_napari.inference.backends.int8 import calibrate, sample_tiles
from unet_napari.inference.planning.cost import rehearse
from unet_napari.inference.planning.planner import make_plan, smaller_plan
from unet_napari.inference.running.computation import Computation, work_of_a_tile
from unet_napari.inference.running.pipeline import write_behind
from unet_napari.inference.running.reading import Reader
from unet_napari.inference.storage.unfinished import Position
from unet_napari.system.device import is_out_of_memory, release_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.backends.agreement import Agreement
    from unet_napari.inference.backends.backend import Backend
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.planning.plan import Plan
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.storage.unfinished import Journal
    from unet_napari.inference.summary import PlanSummary
    from unet_napari.model.model import Model

__all__ = ["Predictor"]

# Below so many operations a prediction takes some ten seconds, and nobody asks how long.
_WORTH_TIMING = 3e12
# Of the tile that the speed is measured on.
_TIMED_PIXELS = 2**15


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
        return self.plan.count * work_of_a_tile(self.plan)

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
            for _ in self._computation().maps_of(batch, shape[0]):
                pass
            seconds = min(seconds, time.perf_counter() - started)
        return rehearse(self._model.network, batch.shape).operations / seconds

    def calibrate(self, images: Iterable[tuple[Image, Statistics]]) -> None:
        """Make an int8 network from tiles of these images; other precisions need none.

        Warns
        -----
        UnetNapariWarning
            If the int8 network decides noticeably differently than the fp32 one.
        """
        if self.plan.precision == "int8" and isinstance(self._backend, OpenVinoBackend):
            tiles = sample_tiles(self._model, images, self.plan.grid)
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
        computation = self._computation()
        steps = computation.outputs(Reader(self._model, image, statistics), begin)
        with write_behind(out) as (write, flush), closing(steps):
            for tiles, done, start, maps in steps:
                for tile, rows in zip(tiles, maps, strict=True):
                    box, crop = tile.part(start, rows.shape[1])
                    if not box.is_empty:
                        write((slice(None), *box.to_slices()), rows[:, *crop.to_slices()])
                if journal is not None and journal.due():
                    flush()
                    tiles_done, rows_kept = computation.progress
                    journal.save(Position(0, tiles_done, self._cut, rows_kept))
                if done < work:
                    yield done, work
        yield work, work

    @property
    def _cut(self) -> str:
        """All of the plan that a `Position` depends on."""
        plan = self.plan
        parts = (plan.describe(), plan.shape, plan.tile, plan.strip, plan.batch, plan.grid)
        return repr((*parts, len(plan.variants), plan.cost.memory))

    def _computation(self) -> Computation:
        return Computation(self._model, self.plan, self._backend)

    def _adopt(self, plan: Plan) -> None:
        if plan.device != self.plan.device:
            self._backend = _make_backend(self._model, plan)
        self.plan = plan


def _make_backend(model: Model, plan: Plan) -> Backend:
    return make_backend(model.network, plan.backend, plan.device, plan.precision)
