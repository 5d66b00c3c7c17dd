"""A segmentation whose regions are predicted, and whose blocks are decoded, by the workers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.cluster.region_task import finished_regions, predict_region
from unet_napari.cluster.shared_arrays import SharedArray
from unet_napari.inference.progress import Progress
from unet_napari.inference.running.linking import Links
from unet_napari.inference.running.planned import tail_of
from unet_napari.inference.segmentation import SegmentationRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import DTypeLike

    from unet_napari.cluster.dask_pool import DaskPool
    from unet_napari.cluster.job import RegionJob
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.running.planned import Segmentation
    from unet_napari.inference.storage.scratch import Room
    from unet_napari.tasks.decoding.blocks import Blocks, Store

__all__ = ["RegionRun"]


class RegionRun(SegmentationRun):
    """A segmentation on the workers of a cluster.

    Parameters
    ----------
    planned : Segmentation
        What is done. Where its result is a zarr in a folder, the workers write to it.
    room : Room
        Room for what this process keeps.
    job : RegionJob
        What the workers know, written into its folder.
    network : DaskPool
        Workers that predict.
    blocks : Blocks
        How the maps are cut for decoding, and the workers that do it.
    """

    def __init__(
        self, planned: Segmentation, room: Room, job: RegionJob, network: DaskPool, blocks: Blocks
    ) -> None:
        self._job, self._network, self._blocks_of_workers = job, network, blocks
        out = SharedArray.of(planned.out)
        self._writes_result = out is not None and not (planned.is_rescaled or planned.is_linked)
        if out is not None and self._writes_result:
            planned.out = out
        super().__init__(planned, room, memory=0)

    def _place_of_maps(self, room: Room, kept: KeptMaps | None) -> Callable[[int], Store]:
        """Return what returns the maps of a view, or of the stack that begins with it."""
        del room, kept
        task = self._planned.task
        return lambda view: self._shared(f"maps-{view}", task.packed_dtype, task.packed_maps)

    def _furnish(self, room: Room, memory: int) -> None:
        """Make room for the labels between decoding and result."""
        del memory
        planned = self._planned
        self._blocks = self._blocks_of_workers
        self._scratch = self._shared("numbers", np.uint32)
        self._rescaled = None if self._writes_result else self._shared("labels", np.uint32)
        self._between = self._rescaled
        shape = planned.decoded_shape
        self._links = Links(room.array(shape, np.uint32)) if planned.is_linked else None

    def _shared(self, name: str, dtype: DTypeLike, maps: int | None = None) -> SharedArray:
        """Return an array of the folder, of the shape in which the objects are found."""
        shape, chunks = self._planned.decoded_shape, self._job.cut.chunk
        if self._planned.joins:  # slice by slice, as they are predicted
            chunks = (1, *chunks)
        if maps is not None:
            shape, chunks = (maps, *shape), (maps, *chunks)
        return SharedArray.make(self._job.folder / name, shape, dtype, chunks)

    def steps(self, *, provisional: bool, maps: Writable | None) -> Iterator[Progress]:
        """Predict the regions of all views, then find the objects of each.

        Parameters
        ----------
        provisional, maps
            Not for runs on several machines.
        """
        del provisional, maps
        planned, work = self._planned, self._work
        yield from self._predict_regions()
        total = len(planned.views)
        for position in range(planned.together - 1, total, planned.together):
            # The work on the views that come after this one, which is done as well.
            ahead = work * (total - position - 1)
            for step in self._decode(position, self._maps_of(position - planned.together + 1)):
                yield replace(step, done=step.done + ahead)

    def _predict_regions(self) -> Iterator[Progress]:
        """Predict what no earlier run has finished."""
        planned, job = self._planned, self._job
        views, regions = len(planned.views), job.cut.count
        finished = finished_regions(job.folder)
        left = [
            (view, region)
            for view in range(views)
            for region in range(regions)
            if (view, region) not in finished
        ]
        tasks = [self._task(view, region) for view, region in left]
        done = views * regions - len(left)
        stage = f"predicting {views * regions} regions"
        if done:
            yield self._progress(done, f"continuing at {done} of {views * regions} regions")
        for facts in finished.values():
            self._note(facts)
        for facts in self._network.map(predict_region, *zip(*tasks, strict=True)):
            self._note(facts)
            done += 1
            yield self._progress(done, stage)

    def _task(self, view: int, region: int) -> tuple[object, ...]:
        planned, job = self._planned, self._job
        first = view - view % planned.together
        plane = planned.views[view].index[-1] if planned.joins else None
        return job.folder, job.token, self._maps_of(first), plane, view, region

    def _note(self, facts: list[int] | None) -> None:
        if facts is not None and self.familiarity is not None:
            self.familiarity.add(facts)

    def _progress(self, done: int, stage: str) -> Progress:
        views, work = len(self._planned.views), self._work
        total = views * (work + tail_of(work))
        return Progress(work * done // self._job.cut.count, total, stage)
