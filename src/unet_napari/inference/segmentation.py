"""The views of one image on their way to labels: maps kept packed, then decoded in blocks.

First a `Segmentation` is planned, so that the user is told how long it takes. It follows from that
whether the run can be resumed after a stop. Then a `SegmentationRun` makes room for it and begins.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
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
from unet_napari.inference.storage.unfinished import Journal, Journals
from unet_napari.inference.views import split_views
from unet_napari.system.device import is_out_of_memory
from unet_napari.tasks.decoding.blocks import Blocks
from unet_napari.tasks.decoding.instances import BYTES_PER_VOXEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unet_napari.geometry import Box
    from unet_napari.images import Image, Scale
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.storage.scratch import Room
    from unet_napari.inference.views import View
    from unet_napari.tasks import Task
    from unet_napari.tasks.decoding.blocks import Store

__all__ = ["Segmentation", "SegmentationRun", "blocks_for", "tail_of"]

# More threads than this wait for the memory.
_MOST_THREADS = 4
# If this many voxels are too many, something else has taken the memory.
_FEWEST_VOXELS = 2**12
_FINDING_OBJECTS = "finding objects"


class Segmentation:
    """A segmentation that is planned: it is known how each view of the image is predicted.

    Parameters
    ----------
    image : Image
        May have time points, and slices for a 2D model.
    prepared : PreparedModel
        Model that segments.
    out : array-like
        Takes the labels, ([T,] *S).
    config : InferenceConfig
        What the user wants.
    scale : Scale
        Brightness of the image.
    factors : tuple of float
        By what the image is to be enlarged, per axis of the network.

    Attributes
    ----------
    views : list of View
        What the network is shown, one after the other.
    shape : tuple of int
        Shape of each view as the network sees it.
    task : Task
        What the network's output means.
    predictor : Predictor
        What computes the maps.
    """

    def __init__(
        self,
        image: Image,
        prepared: PreparedModel,
        out: Writable,
        config: InferenceConfig,
        scale: Scale,
        factors: tuple[float, ...],
    ) -> None:
        model = prepared.model
        self.views = split_views(image, model.ndim)
        self.task, self.out, self.scale = model.task, out, scale
        self.slicewise = image.ndim > model.ndim
        size = self.views[0].image.shape
        self.shape = tuple(max(1, round(n * f)) for n, f in zip(size, factors, strict=True))
        examples = ((self.seen(view), scale.of(view.image)) for view in spread(self.views))
        self.predictor = Predictor(prepared, self.shape, config, examples)

    @property
    def is_rescaled(self) -> bool:
        """Whether the network sees the views in another shape than they have."""
        return self.shape != self.views[0].image.shape

    def seen(self, view: View) -> Image:
        """Return a view as the network sees it; nothing is read yet."""
        return rescale_image(view.image, self.shape)

    def start(self) -> Progress:
        """Return what is told before anything is computed: the plan."""
        step = self.progress(0, 0, self.predictor.work, self.predictor.stage)
        return replace(step, plan=self.summary(len(self.views)))

    def summary(self, images: int = 1) -> PlanSummary:
        """Return the plan for the user, see `Predictor.summary`."""
        by_frame = self.scale.drift is not None
        return replace(self.predictor.summary(images), by_frame=by_frame)

    def progress(
        self, position: int, done: int, work: int, stage: str, written: Box | None = None
    ) -> Progress:
        """Return how far all views are.

        Parameters
        ----------
        position : int
            Number of the view that is worked on.
        done : int
            Steps done on this view.
        work : int
            Steps of a view that are prediction; to them come those of decoding, see `tail_of`.
        stage : str
            What is being done, in words for the user.
        written : Box, optional
            Part of the result in which there are new labels.
        """
        steps = work + tail_of(work)
        spans = None if written is None else written.spans  # of plain tuples, for JSON
        return Progress(position * steps + done, len(self.views) * steps, stage, spans)


class SegmentationRun:
    """A planned segmentation that has room for its maps and labels, so that it can begin.

    Parameters
    ----------
    planned : Segmentation
        What is done.
    room : Room
        Where the arrays between network and result are; to be kept open during the run.
    memory : int
        Bytes that decoding may use.
    journals : Journals, optional
        Where the maps are kept, and where the run is noted, if it is to be resumed when it is
        stopped. Without, the maps of each view take the place of those of the view before.
    """

    def __init__(
        self, planned: Segmentation, room: Room, memory: int, journals: Journals | None = None
    ) -> None:
        self._planned, self._journals = planned, journals
        self._blocks = blocks_for(memory)
        shape, dtype = (planned.task.packed_maps, *planned.shape), planned.task.packed_dtype
        if journals is None:
            packed = room.array(shape, dtype, rows=1)
            self._maps_of: Callable[[int], Store] = lambda _view: packed
        else:
            self._maps_of = partial(journals.maps, shape=shape, dtype=dtype)
        self._scratch = room.array(planned.shape, np.uint32)
        self._rescaled = room.array(planned.shape, np.uint32) if planned.is_rescaled else None
        self._told, self._work = planned.predictor.plan, planned.predictor.work
        self._highest = 0  # the highest id that is in use in the present frame
        self.familiarity = planned.task.familiarity()

    def steps(self, *, provisional: bool, maps: Writable | None) -> Iterator[Progress]:
        """Predict and decode one view after the other.

        Parameters
        ----------
        provisional : bool
            Show labels in the result while the network runs.
        maps : array-like, optional
            Where the maps themselves are wanted, see `segment_steps`.
        """
        for position in range(len(self._planned.views)):
            packed = self._maps_of(position)
            journal = None if self._journals is None else self._journals.of(position)
            # The maps of a view that an earlier run has finished are still there: it is decoded
            # again, because the result is written anew, but not predicted again.
            if journal is None or not journal.finished:
                yield from self._predict(
                    position, packed, journal, provisional=provisional, maps=maps
                )
            yield from self._decode(position, packed)

    def _predict(
        self,
        position: int,
        packed: Store,
        journal: Journal | None,
        *,
        provisional: bool,
        maps: Writable | None,
    ) -> Iterator[Progress]:
        """Run the network over one view."""
        planned = self._planned
        view, predictor = planned.views[position], planned.predictor
        shows = provisional and not planned.is_rescaled
        shown = ViewWriter(planned.out, view.index) if shows else None
        wanted = None if maps is None else MapSink(maps, (slice(None), *view.index))
        sink = Sink(packed, planned.task, shown, wanted, self.familiarity)
        resumed = journal is not None and journal.position is not None
        statistics = planned.scale.of(view.image)
        for done, work in predictor.run(planned.seen(view), statistics, sink, journal):
            self._work = work
            plan = None if predictor.plan is self._told else planned.summary()
            self._told = predictor.plan
            step = planned.progress(position, done, work, predictor.stage, sink.take_shown())
            if resumed:  # said once, with the first step
                resumed = False
                step = replace(step, stage=f"continuing at {step.done / step.total:.0%}")
            yield replace(step, plan=plan)

    def _decode(self, position: int, packed: Store) -> Iterator[Progress]:
        """Turn the maps of one view into labels."""
        planned, work = self._planned, self._work
        tail = tail_of(work)
        say = partial(planned.progress, position, work=work, stage=_FINDING_OBJECTS)
        # The first block of a large image takes seconds.
        yield say(work)
        view = planned.views[position]
        if not planned.slicewise or view.index[-1] == 0:
            self._highest = 0  # a new frame
        place = ViewWriter(planned.out, view.index)
        target = place if self._rescaled is None else ViewWriter(self._rescaled)
        blocks = replace(self._blocks, unit=place.chunks if target is place else None)
        first_id = self._highest + 1
        passes = _decode(planned.task, packed, self._scratch, target, blocks, first_id)
        for done, total, box in passes:
            written = None if box is None or target is not place else place.in_result(box)
            yield say(work + tail * done // (total + 1), written=written)
        self._highest = max(self._highest, target.highest)
        if self._rescaled is not None:
            for box in rescale_labels(self._rescaled, place):
                done = work + tail * total // (total + 1)
                yield say(done, written=place.in_result(box))
        yield say(work + tail)


def tail_of(work: int) -> int:
    """Return the steps of a view that are decoding, if so many are prediction."""
    return work // 10 + 1


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
