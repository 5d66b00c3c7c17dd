"""A model made ready for images of one shape: planned, timed, run again where memory ran out."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.errors import warn_user
from unet_napari.inference.backends.agreement import measure_agreement, warn_of_disagreement
from unet_napari.inference.backends.backend import Quantisable
from unet_napari.inference.planning.cost import rehearse
from unet_napari.inference.planning.planner import make_plan, smaller_plan
from unet_napari.inference.running.calibrating import ensure_calibrated, known_speed
from unet_napari.inference.running.computation import Computation, work_of_a_tile
from unet_napari.inference.running.pipeline import write_behind
from unet_napari.inference.running.reading import Reader
from unet_napari.inference.running.sampling import sample_tiles
from unet_napari.inference.storage.unfinished import Position
from unet_napari.system.device import is_out_of_memory, release_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.backends.agreement import Agreement
    from unet_napari.inference.backends.backend import Backend
    from unet_napari.inference.backends.calibration import Calibration
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.planning.plan import Plan
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.storage.unfinished import Journal
    from unet_napari.inference.summary import PlanSummary

__all__ = ["Predictor"]

# Below so many operations a prediction takes some ten seconds, and nobody asks how long.
_WORTH_TIMING = 3e12
# Below so many, comparing a short format with fp32 on two tiles takes much of the time.
_WORTH_COMPARING = 3e11
_TILES_COMPARED = 2
# Size of the tile that the speed is measured on.
_TIMED_PIXELS = 2**15


class Predictor:
    """A model made ready for images of one shape.

    Parameters
    ----------
    prepared : PreparedModel
        Model that predicts.
    shape : tuple of int
        Shape of the images, along the axes of the network.
    config : InferenceConfig
        What the user wants.
    examples : iterable of (Image, Statistics)
        Images of this shape, and how bright they are as a whole. A network in int8 is calibrated
        on tiles of them if it never was, and one in int8 or bf16 on a CPU compared with fp32; else
        none is looked at.

    Attributes
    ----------
    plan : Plan
        Plan by which the images are predicted; another one after memory ran out.
    gain : float or None
        How many times as fast int8 is as the precision "auto"; None where int8 is not asked for.

    Warns
    -----
    UnetNapariWarning
        See `make_plan`; if a network in int8 or bf16 decides noticeably differently than in fp32;
        and if int8 would take longer, so that the precision "auto" is computed instead.
    """

    def __init__(
        self,
        prepared: PreparedModel,
        shape: tuple[int, ...],
        config: InferenceConfig,
        examples: Iterable[tuple[Image, Statistics]] = (),
    ) -> None:
        self._prepared, self._config = prepared, config
        self.plan = make_plan(prepared, shape, config)
        self._backend = _make_backend(prepared, self.plan)
        self._agreement: Agreement | None = None
        self.gain: float | None = None
        if self.plan.precision == "int8" and isinstance(self._backend, Quantisable):
            self._agreement = ensure_calibrated(prepared, self._backend, self.plan.grid, examples)
            self._avoid_slow(self._backend)
        self._agreement = self._agreement or _compared(self._backend, prepared, self.plan, examples)

    @property
    def stage(self) -> str:
        """What is being done, in words for the user."""
        told = self._agreement
        how = "" if told is None else f"{self.plan.precision}, {told.describe()}, "
        return f"predicting ({how}{self.plan.describe()})"

    @property
    def calibration(self) -> Calibration | None:
        """What is computed in int8; None in another format."""
        return self._backend.calibration if isinstance(self._backend, Quantisable) else None

    @property
    def work(self) -> int:
        """Rows in and out of the network that `run` counts to, while the plan stays."""
        return self.plan.count * work_of_a_tile(self.plan)

    def summary(self, images: int = 1) -> PlanSummary:
        """Return the plan for the user, with the time for so many images where it is worth saying.

        The speed of this computer is measured on a small tile first, in some tenths of a second.
        """
        operations = images * self.plan.operations
        seconds = None if operations < _WORTH_TIMING else operations / self._speed()
        calibration = self.calibration
        summary = self.plan.summary(seconds)
        return (
            summary if calibration is None else replace(summary, calibration=calibration.describe())
        )

    def seconds(self, int8: Quantisable) -> float:
        """Return the time that one image will take, by a speed that is kept with a calibration."""
        return self.plan.operations / known_speed(self._prepared, int8, self.plan, self._speed)

    def _avoid_slow(self, int8: Quantisable) -> None:
        """Do without int8 where the precision "auto" takes less time, and say so."""
        config = replace(self._config, precision="auto")
        usual = Predictor(self._prepared, self.plan.shape, config)
        self.gain = usual.seconds(int8) / self.seconds(int8)
        if self.gain >= 1:
            return
        warn_user(
            f"In int8 this model takes {1 / self.gain:.1f} times as long on this computer as in "
            'the precision "auto", which is computed instead.',
            stacklevel=3,
        )
        self._config, self._agreement = config, None
        self.plan, self._backend = usual.plan, usual._backend

    def _speed(self) -> float:
        """Return the operations per second that the backend reaches on a small tile."""
        plan, model = self.plan, self._prepared.model
        axes = model.ndim
        shape = plan.grid.fit(plan.shape, (round(_TIMED_PIXELS ** (1 / axes)),) * axes)[0]
        batch = np.zeros((1, model.channels, *shape), np.float32)
        seconds = math.inf
        for _ in range(2):  # the first one warms up
            started = time.perf_counter()
            for _ in self._computation().maps_of(batch, shape[0]):
                pass
            seconds = min(seconds, time.perf_counter() - started)
        return rehearse(model.network, batch.shape).operations / seconds

    def run(
        self,
        image: Image,
        statistics: Statistics,
        out: Writable,
        journal: Journal | None = None,
    ) -> Iterator[tuple[int, int]]:
        """Predict one image into `out` (K, *S); yield (work done, work in all) again and again.

        With a journal it begins at the journal's position, and notes there how far `out` is final.

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
            self._adopt(smaller_plan(self.plan, self._prepared, self._config))

    def _run(
        self, image: Image, statistics: Statistics, out: Writable, journal: Journal | None
    ) -> Iterator[tuple[int, int]]:
        work = self.work
        begin = None if journal is None else journal.position
        if begin is None or begin.plan != self._cut:
            begin = Position(plan=self._cut)
        pieces = self._computation().pieces(Reader(self._prepared.model, image, statistics), begin)
        with write_behind(out) as (write, flush), closing(pieces):
            for piece in pieces:
                for tile, rows in zip(piece.tiles, piece.maps, strict=True):
                    box, crop = tile.part(piece.start, rows.shape[1])
                    if not box.is_empty:
                        write((slice(None), *box.to_slices()), rows[:, *crop.to_slices()])
                if journal is not None and journal.due():
                    # The maps have to be on disk before a position says that they are.
                    flush()
                    journal.save(Position(0, piece.finished, self._cut, piece.kept_rows()))
                if piece.done < work:
                    yield piece.done, work
        yield work, work

    @property
    def _cut(self) -> str:
        """What of the plan a `Position` depends on: how the image is cut, in words."""
        plan = self.plan
        parts = (plan.describe(), plan.shape, plan.tile, plan.strip, plan.batch, plan.grid)
        return repr((*parts, len(plan.variants), plan.cost.memory))

    def _computation(self) -> Computation:
        return Computation(self._prepared.model, self.plan, self._backend)

    def _adopt(self, plan: Plan) -> None:
        if plan.device != self.plan.device:
            self._backend = _make_backend(self._prepared, plan)
        self.plan = plan


def _make_backend(prepared: PreparedModel, plan: Plan) -> Backend:
    return prepared.backend(plan.backend, plan.device, plan.precision)


def _compared(
    backend: Backend,
    prepared: PreparedModel,
    plan: Plan,
    examples: Iterable[tuple[Image, Statistics]],
) -> Agreement | None:
    """Return how well a backend in a short format agrees with fp32, on tiles of a large image."""
    short = plan.precision in ("bf16", "int8") and plan.device.type == "cpu"
    if not short or plan.operations < _WORTH_COMPARING:
        return None
    tiles = sample_tiles(prepared.model, examples, plan.grid)[:_TILES_COMPARED]
    if not tiles:  # nobody has given images to compare
        return None
    exact = prepared.backend(plan.backend, plan.device, "fp32")
    agreement = measure_agreement(
        prepared.model.task, map(exact.logits, tiles), backend.logits, tiles
    )
    warn_of_disagreement(agreement, plan.precision)
    return agreement
