"""The views of one image on their way to labels: maps kept packed, then decoded in blocks.

First a `Segmentation` is planned, so that the user is told how long it takes. It follows from that
whether the run can be resumed after a stop. Then a `SegmentationRun` makes room for it and begins.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.inference.predict import MapSink
from unet_napari.inference.progress import PlanSummary, Progress
from unet_napari.inference.rescale import rescale_image, rescale_labels
from unet_napari.inference.running.decoding import blocks_for, decode_patiently
from unet_napari.inference.running.linking import Links, is_linked
from unet_napari.inference.running.places import Plane, Sink, ViewWriter
from unet_napari.inference.running.predictor import Predictor
from unet_napari.inference.running.sampling import spread
from unet_napari.inference.stacks import smoothed_stack, stack_scale
from unet_napari.inference.storage.unfinished import Journal, Journals
from unet_napari.inference.views import split_views

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
    from unet_napari.tasks.decoding.stack import StackDecoder

__all__ = ["Segmentation", "SegmentationRun", "tail_of"]

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
    decoder : Task or StackDecoder
        What makes labels of maps.
    is_linked : bool
        Whether cells keep their numbers over time.
    joins : bool
        Whether the slices of a stack are decoded together.
    together : int
        Number of views that are decoded together: all slices of a stack, or 1.
    decoded_shape : tuple of int
        Shape of the labels that are made together, as the network sees them.
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
        stack = stack_scale(image, model, config, factors)
        self.views = split_views(smoothed_stack(image, stack), model.ndim)
        self.task, self.out, self.scale = model.task, out, scale
        self.slicewise = image.ndim > model.ndim
        size = self.views[0].image.shape
        self.shape = tuple(max(1, round(n * f)) for n, f in zip(size, factors, strict=True))
        decoder = None if stack is None else model.task.stack_decoder(stack)
        self.decoder: Task | StackDecoder = decoder or model.task
        self.is_linked = is_linked(image, model, config)
        self.joins = decoder is not None
        self.together = image.shape[0] if self.joins else 1
        self.decoded_shape = (image.shape[0], *self.shape) if self.joins else self.shape
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
        # Views that are decoded together are all predicted before that.
        among = position % self.together
        before = (position - among) * steps + among * work
        spans = None if written is None else written.spans  # of plain tuples, for JSON
        return Progress(before + done, len(self.views) * steps, stage, spans)


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
        labels_shape, dtype = planned.decoded_shape, planned.task.packed_dtype
        shape = (planned.task.packed_maps, *labels_shape)
        if journals is None:
            packed = room.array(shape, dtype, rows=1)
            self._maps_of: Callable[[int], Store] = lambda _view: packed
        else:
            self._maps_of = partial(journals.maps, shape=shape, dtype=dtype)
        self._scratch = room.array(labels_shape, np.uint32)
        self._rescaled = room.array(labels_shape, np.uint32) if planned.is_rescaled else None
        self._links = Links(room.array(labels_shape, np.uint32)) if planned.is_linked else None
        # Where the labels of a frame are before they are written to the result, if they cannot be
        # written there at once.
        self._between = self._rescaled
        if planned.is_linked and self._rescaled is None:
            self._between = room.array(labels_shape, np.uint32)
        self._told, self._work = planned.predictor.plan, planned.predictor.work
        self._highest = 0  # the highest id that is in use in the present frame
        self.familiarity = planned.task.familiarity()

    def steps(self, *, provisional: bool, maps: Writable | None) -> Iterator[Progress]:
        """Predict one view after the other, and decode each, or those that belong together.

        Parameters
        ----------
        provisional : bool
            Show labels in the result while the network runs.
        maps : array-like, optional
            Where the maps themselves are wanted, see `segment_steps`.
        """
        together = self._planned.together
        for position in range(len(self._planned.views)):
            packed = self._maps_of(position - position % together)
            journal = None if self._journals is None else self._journals.of(position)
            # The maps of a view that an earlier run has finished are still there: it is decoded
            # again, because the result is written anew, but not predicted again.
            if journal is None or not journal.finished:
                yield from self._predict(
                    position, packed, journal, provisional=provisional, maps=maps
                )
            if (position + 1) % together == 0:
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
        kept = Plane(packed, view.index[-1]) if planned.joins else packed
        sink = Sink(kept, planned.task, shown, wanted, self.familiarity)
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
        """Turn the maps of a view, and of those before it that belong to it, into labels."""
        planned, work = self._planned, self._work
        tail = planned.together * tail_of(work)
        say = partial(planned.progress, position, work=work, stage=_FINDING_OBJECTS)
        # The first block of a large image takes seconds.
        yield say(work)
        index = planned.views[position].index
        if planned.joins:
            index = index[:-1]
        if planned.joins or not planned.slicewise or index[-1] == 0:
            self._highest = 0  # a new frame
        place = ViewWriter(planned.out, index)
        target = place if self._between is None else ViewWriter(self._between)
        blocks = replace(self._blocks, unit=place.chunks if target is place else None)
        first_id = self._highest + 1
        passes = decode_patiently(planned.decoder, packed, self._scratch, target, blocks, first_id)
        for done, total, box in passes:
            written = None if box is None or target is not place else place.in_result(box)
            yield say(work + tail * done // (total + 1), written=written)
        self._highest = max(self._highest, target.highest)
        for box in self._finish(place):
            done = work + tail * total // (total + 1)
            yield say(done, written=place.in_result(box))
        yield say(work + tail)

    def _finish(self, place: ViewWriter) -> Iterator[Box]:
        """Write labels that are not in the result yet; yield each part that has been written."""
        labels = self._between
        if labels is None:
            return
        if self._links is not None:
            for box in self._links.renumber(labels):
                if self._rescaled is None:
                    place[box.to_slices()] = labels[box.to_slices()]
                    yield box
        if self._rescaled is not None:
            yield from rescale_labels(self._rescaled, place)


def tail_of(work: int) -> int:
    """Return the steps of a view that are decoding, if so many are prediction."""
    return work // 10 + 1
