"""The views of one image on their way to labels: maps kept packed, then decoded in blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.errors import ResourceError
from unet_napari.inference.backends.int8 import spread
from unet_napari.inference.predict import MapSink
from unet_napari.inference.progress import PlanSummary, Progress
from unet_napari.inference.rescale import rescale_image, rescale_labels
from unet_napari.inference.running.places import Sink, ViewWriter
from unet_napari.inference.running.predictor import Predictor
from unet_napari.inference.storage.unfinished import Journal, Position, Unfinished
from unet_napari.inference.views import split_views
from unet_napari.system.device import is_out_of_memory
from unet_napari.tasks.decoding.blocks import Blocks
from unet_napari.tasks.decoding.instances import BYTES_PER_VOXEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unet_napari.geometry import Box
    from unet_napari.images import Image, Scale
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.storage.scratch import Room
    from unet_napari.model.model import Model
    from unet_napari.tasks import Task
    from unet_napari.tasks.decoding.blocks import Store

__all__ = ["Segmentation", "blocks_for"]

# More threads than this wait for the memory.
_MOST_THREADS = 4
# If this many voxels are too many, something else has taken the memory.
_FEWEST_VOXELS = 2**12
_FINDING = "finding objects"


class Segmentation:
    """What the views of one image have in common.

    Parameters
    ----------
    image : Image
        May have time points, and slices for a 2D model.
    model : Model
        Left as it is.
    out : array-like
        Takes the labels, ([T,] *S).
    config : InferenceConfig
        The settings.
    scale : Scale
        Of the image's brightness.
    factors : tuple of float
        By what it is to be enlarged, per axis of the network.
    """

    _packed: Store
    _scratch: Store
    _rescaled: Store | None

    def __init__(
        self,
        image: Image,
        model: Model,
        out: Writable,
        config: InferenceConfig,
        scale: Scale,
        factors: tuple[float, ...],
    ) -> None:
        self.views = split_views(image, model.ndim)
        self._task, self._out, self._scale = model.task, out, scale
        self.familiarity = model.task.familiarity()
        self._slicewise = image.ndim > model.ndim
        self._highest = 0
        size = self.views[0].image.shape
        self._shape = tuple(max(1, round(n * f)) for n, f in zip(size, factors, strict=True))
        self._predictor = Predictor(model, self._shape, config)
        self._predictor.calibrate(
            (rescale_image(view.image, self._shape), scale.of(view.image))
            for view in spread(self.views)
        )
        self._told, self._work = self._predictor.plan, self._predictor.work
        self._unfinished: Unfinished | None = None
        self._left = Position()

    def furnish(self, room: Room) -> None:
        """Make room for the maps and labels of one view."""
        if self._unfinished is None:
            packed = (self._task.packed_maps, *self._shape)
            self._packed = room.array(packed, self._task.packed_dtype, rows=1)
        self._scratch = room.array(self._shape, np.uint32)
        same = self._shape == self.views[0].image.shape
        self._rescaled = None if same else room.array(self._shape, np.uint32)

    def go_on(self, unfinished: Unfinished, position: Position) -> None:
        """Keep the maps where a later run finds them, and begin at a position."""
        self._unfinished, self._left = unfinished, position

    def start(self) -> Progress:
        """Return what is told before anything is computed: the plan."""
        predictor = self._predictor
        return replace(self._progress(0, 0, predictor.stage), plan=self._summary(len(self.views)))

    def _summary(self, images: int = 1) -> PlanSummary:
        by_frame = self._scale.drift is not None
        return replace(self._predictor.summary(images), by_frame=by_frame)

    def predict(
        self, position: int, *, provisional: bool, maps: Writable | None
    ) -> Iterator[Progress]:
        """Run the network over one view."""
        view, predictor = self.views[position], self._predictor
        shown = (
            ViewWriter(self._out, view.index) if provisional and self._rescaled is None else None
        )
        journal = self._open_journal(position)
        if position < self._left.view:
            return
        wanted = None if maps is None else MapSink(maps, (slice(None), *view.index))
        sink = Sink(self._packed, self._task, shown, wanted, self.familiarity)
        image = rescale_image(view.image, self._shape)
        for done, work in predictor.run(image, self._scale.of(view.image), sink, journal):
            self._work = work
            plan = None if predictor.plan is self._told else self._summary()
            self._told = predictor.plan
            step = self._progress(position, done, predictor.stage, sink.take_shown())
            if journal is not None and journal.position is not None:
                journal.position = None
                step = replace(step, stage=f"continuing at {step.done / step.total:.0%}")
            yield replace(step, plan=plan)

    def _open_journal(self, position: int) -> Journal | None:
        """Return where to note how far a view is; its packed maps are there, too."""
        if self._unfinished is None:
            return None
        packed = (self._task.packed_maps, *self._shape)
        self._packed = self._unfinished.maps(position, packed, self._task.packed_dtype)
        left = self._left
        begun = left.view == position and left.plan != ""
        return Journal(self._unfinished, position, left if begun else None)

    def decode(self, position: int, blocks: Blocks) -> Iterator[Progress]:
        """Turn the maps of one view into labels."""
        # The first block of a large image takes seconds.
        yield self._progress(position, self._work, _FINDING)
        view = self.views[position]
        if not self._slicewise or view.index[-1] == 0:
            self._highest = 0  # a new frame
        place = ViewWriter(self._out, view.index)
        target = place if self._rescaled is None else ViewWriter(self._rescaled)
        blocks = replace(blocks, unit=place.chunks if target is place else None)
        passes = _decode(self._task, self._packed, self._scratch, target, blocks, self._highest + 1)
        for done, total, box in passes:
            done = self._work + self._tail * done // (total + 1)
            written = None if box is None or target is not place else place.in_result(box)
            yield self._progress(position, done, _FINDING, written)
        self._highest = max(self._highest, target.highest)
        if self._rescaled is not None:
            for box in rescale_labels(self._rescaled, place):
                done = self._work + self._tail * total // (total + 1)
                yield self._progress(position, done, _FINDING, place.in_result(box))
        yield self._progress(position, self._work + self._tail, _FINDING)

    @property
    def _tail(self) -> int:
        """The steps of a view that are decoding."""
        return self._work // 10 + 1

    def _progress(
        self, position: int, done: int, stage: str, written: Box | None = None
    ) -> Progress:
        steps = self._work + self._tail
        spans = None if written is None else written.spans  # of plain tuples, for JSON
        return Progress(position * steps + done, len(self.views) * steps, stage, spans)


def blocks_for(memory: int) -> Blocks:
    """Return how to cut an image for decoding in so much memory."""
    threads = min(torch.get_num_threads(), _MOST_THREADS)
    largest = memory // (threads * BYTES_PER_VOXEL)
    usual = Blocks()
    return Blocks(
        min(usual.voxels, max(largest // 2, _FEWEST_VOXELS)), min(usual.largest, largest), threads
    )


def _decode(
    task: Task, packed: Store, scratch: Store, target: ViewWriter, blocks: Blocks, first_id: int
) -> Iterator[tuple[int, int, Box | None]]:
    """Decode; where memory runs out, again with smaller blocks."""
    while True:
        try:
            yield from task.decode_steps(packed, scratch, target, blocks, first_id)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return
        blocks = replace(blocks, voxels=blocks.voxels // 4, largest=blocks.largest // 4, threads=1)
        if blocks.voxels < _FEWEST_VOXELS:
            raise ResourceError(
                "Memory does not suffice to find the objects, even in blocks of "
                f"{_FEWEST_VOXELS:,} pixels. Close other programs, or segment a part of the image."
            )
