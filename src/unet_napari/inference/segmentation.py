"""The views of one image on their way to labels: maps kept packed, then decoded in blocks."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.inference.predict import MapSink
from unet_napari.inference.rescale import rescale_labels
from unet_napari.inference.running.decoding import blocks_for, decode_patiently
from unet_napari.inference.running.linking import Links
from unet_napari.inference.running.places import Plane, Sink, ViewWriter
from unet_napari.inference.running.planned import tail_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unet_napari.geometry import Box
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.running.planned import Segmentation
    from unet_napari.inference.storage.scratch import Room
    from unet_napari.inference.storage.unfinished import Journal, Journals
    from unet_napari.tasks import Task
    from unet_napari.tasks.decoding.blocks import Store
    from unet_napari.tasks.decoding.stack import StackDecoder

__all__ = ["SegmentationRun"]

# Voxels of a block where somebody may change their mind every moment.
_QUICK_VOXELS = 2**20
_FINDING_OBJECTS = "finding objects"


class SegmentationRun:
    """A planned segmentation that has room for its maps and labels, so that it can begin.

    Parameters
    ----------
    planned : Segmentation
        What is done.
    room : Room
        Room for the arrays between network and result, which stays open during the run.
    memory : int
        Bytes that decoding may use.
    journals : Journals, optional
        Journals that keep the maps and note the run, if it is to be resumed when it is
        stopped. Without, the maps of each view take the place of those of the view before.
    kept : KeptMaps, optional
        Place that keeps the maps after the run.
    """

    def __init__(
        self,
        planned: Segmentation,
        room: Room,
        memory: int,
        journals: Journals | None = None,
        kept: KeptMaps | None = None,
    ) -> None:
        self._planned, self._journals = planned, journals
        self._maps_of = self._place_of_maps(room, kept)
        self._furnish(room, memory)
        self._told, self._work = planned.predictor.plan, planned.predictor.work
        self._highest = 0  # the highest id that is in use in the present frame
        self.familiarity = planned.task.familiarity()

    def _place_of_maps(self, room: Room, kept: KeptMaps | None) -> Callable[[int], Store]:
        """Return what returns the place for the maps of a view, see the parameters of the class."""
        task, together = self._planned.task, self._planned.together
        shape, dtype = (task.packed_maps, *self._planned.decoded_shape), task.packed_dtype
        if self._journals is not None:
            return partial(self._journals.maps, shape=shape, dtype=dtype)
        if kept is not None:
            return partial(kept.maps_of_view, together=together)
        packed = room.array(shape, dtype, rows=1)
        return lambda _view: packed

    def _furnish(self, room: Room, memory: int) -> None:
        """Make room for the labels between decoding and result."""
        shape, rescaled = self._planned.decoded_shape, self._planned.is_rescaled
        self._blocks = blocks_for(memory)
        self._scratch = room.array(shape, np.uint32)
        self._rescaled = room.array(shape, np.uint32) if rescaled else None
        linked = self._planned.is_linked
        self._links = Links(room.array(shape, np.uint32)) if linked else None
        # Where the labels of a frame are before they are written to the result, if they cannot be
        # written there at once.
        self._between = self._rescaled
        if linked and not rescaled:
            self._between = room.array(shape, np.uint32)

    def rest(self) -> SegmentationRun:
        """Return what `again` needs of it; it takes no memory but that of the maps."""
        rest = copy(self)
        rest._planned = self._planned.rest()
        del rest._scratch, rest._rescaled, rest._links, rest._between
        return rest

    def decoder_for(self, task: Task) -> Task | StackDecoder:
        """Return what makes labels of the maps, see `Segmentation.decoder_for`."""
        return self._planned.decoder_for(task)

    def again(self, task: Task, out: Writable, room: Room, memory: int) -> Iterator[Progress]:
        """Decode all maps, which were kept, with the thresholds of another task into a result."""
        run, planned = copy(self), copy(self._planned)
        planned.decoder, planned.out = planned.decoder_for(task), out
        run._planned = planned
        run._furnish(room, memory)
        # Small blocks, so that a newer wish need not wait long.
        run._blocks = replace(run._blocks, voxels=min(run._blocks.voxels, _QUICK_VOXELS))
        for position in range(planned.together - 1, len(planned.views), planned.together):
            yield from run._decode(position, run._maps_of(position))

    def steps(self, *, provisional: bool, maps: Writable | None) -> Iterator[Progress]:
        """Predict one view after the other, and decode each, or those that belong together.

        Parameters
        ----------
        provisional : bool
            Show labels in the result while the network runs.
        maps : array-like, optional
            Array that the maps are written to, see `segment_steps`.
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
        blocks = replace(self._blocks, unit=target.chunks)
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
