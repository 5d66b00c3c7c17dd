"""From an image to labels: its maps, decoded by the model's task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.device import available_memory, is_out_of_memory
from unet_napari.errors import ResourceError, SettingsError
from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.diameter import estimate_diameter
from unet_napari.inference.int8 import spread
from unet_napari.inference.places import Place, Region, Sink
from unet_napari.inference.predict import Part, Predictor
from unet_napari.inference.progress import Progress, with_time_left
from unet_napari.inference.rescale import rescale_image, rescale_labels
from unet_napari.inference.room import Room
from unet_napari.inference.unfinished import Journal, Position, Unfinished, request_key
from unet_napari.inference.views import check_image, rescale_factors, split_views
from unet_napari.tasks.blocks import Blocks
from unet_napari.tasks.instances import BYTES_PER_VOXEL

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.pipeline import Writable
    from unet_napari.model import Model
    from unet_napari.tasks import Task
    from unet_napari.tasks.blocks import Box, Store

__all__ = ["segment_steps"]

# Of the memory that is free, and of that for what is kept of the maps of one view; the rest is for
# the network, then for blocks of the maps while they are decoded.
_SHARE_OF_FREE = 0.5
_SHARE_FOR_MAPS = 0.5
# More threads than this wait for the memory.
_MOST_THREADS = 4
# If this many voxels are too many, something else has taken the memory.
_FEWEST_VOXELS = 2**12
_FINDING = "finding objects"
# Seconds from which on a run is worth being resumed.
_LONG = 60.0
_CPU = torch.device("cpu")


def segment_steps(
    image: Image,
    model: Model,
    out: Writable,
    config: InferenceConfig | None = None,
    *,
    provisional: bool = False,
    unfinished: Unfinished | None = None,
    maps: Writable | None = None,
) -> Iterator[Progress]:
    """Segment an image, step by step; stop by no longer asking.

    A time series is segmented frame by frame. With a 2D model a stack is segmented slice by slice
    if `config.slicewise`; then no two cells of the stack have one id.

    Parameters
    ----------
    image : Image
        Of any size.
    model : Model
        Left as it is.
    out : array-like
        Integers, of the shape `result_shape`: the image's spatial axes, after T if there is one.
        uint32 has room for every number of cells.
    config : InferenceConfig, optional
        The settings.
    provisional : bool
        Fill `out` while the network runs: the foreground of cells as label 1, until the cells
        are known; classes right away. `Progress.region` says where.
    unfinished : Unfinished, optional
        Where to keep what is done, if that takes more than a minute, and from where to go on.
    maps : array-like, optional
        float32, (K, [T,] *S), for the probability maps as of `predict_steps`. Not together with
        `unfinished`, nor where the image is rescaled.

    Yields
    ------
    Progress
        After each tile or strip and after decoding each view.

    Raises
    ------
    ImageError
        If the image does not suit the model or holds no number.
    ResourceError
        If memory or disk do not suffice.
    SettingsError
        If settings contradict each other or the model.

    Warns
    -----
    UnetNapariWarning
        See `check_image` and `make_plan`; and `Familiarity`, in the end.
    """
    config = config or InferenceConfig()
    if maps is not None and (unfinished or config.rescale or config.diameter is not None):
        raise SettingsError(
            "Probability maps are made at the image's own scale and in one go: leave rescale, "
            "diameter and resuming off, or ask for labels alone."
        )
    return with_time_left(
        _segment_steps(
            image, model, out, config, provisional=provisional, unfinished=unfinished, maps=maps
        )
    )


def _segment_steps(
    image: Image,
    model: Model,
    out: Writable,
    config: InferenceConfig,
    *,
    provisional: bool,
    unfinished: Unfinished | None,
    maps: Writable | None,
) -> Iterator[Progress]:
    check_image(image, model, config)
    statistics = model.normalisation.measure(image)
    if model.task.name == "cells" and _blank(statistics):
        out[...] = 0
        yield Progress(1, 1, "the image has no contrast, so there is no object")
        return
    factors = yield from _factors(image, model, config)
    key = unfinished and request_key(image, model, config, statistics)
    left = unfinished.memory(key) if unfinished and key else None
    memory = config.memory or left or int(available_memory(_CPU) * _SHARE_OF_FREE)
    if left:
        config = replace(config, memory=left)
    run = _Segmentation(image, model, out, config, statistics, factors)
    start = run.start()
    yield start
    with Room(int(memory * _SHARE_FOR_MAPS)) as room:
        if unfinished and key and (left or _takes_long(start)):
            run.go_on(unfinished, unfinished.begin(key, memory))
        run.furnish(room)
        blocks = _blocks(int(memory * (1 - _SHARE_FOR_MAPS)))
        for position in range(len(run.views)):
            yield from run.predict(position, provisional=provisional, maps=maps)
            yield from run.decode(position, blocks)
    if run.familiarity is not None:
        run.familiarity.warn()


class _Segmentation:
    """What the views of one image have in common."""

    _packed: Store
    _scratch: Store
    _rescaled: Store | None

    def __init__(
        self,
        image: Image,
        model: Model,
        out: Writable,
        config: InferenceConfig,
        statistics: Statistics,
        factors: tuple[float, ...],
    ) -> None:
        self.views = split_views(image, model.ndim)
        self._task, self._out, self._statistics = model.task, out, statistics
        self.familiarity = model.task.familiarity()
        self._slicewise = image.ndim > model.ndim
        self._highest = 0
        size = self.views[0].image.shape
        self._shape = tuple(max(1, round(n * f)) for n, f in zip(size, factors, strict=True))
        self._predictor = Predictor(model, self._shape, config)
        examples = (rescale_image(view.image, self._shape) for view in spread(self.views))
        self._predictor.calibrate(examples, statistics)
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
        plan = predictor.summary(len(self.views))
        return replace(self._progress(0, 0, predictor.stage), plan=plan)

    def predict(
        self, position: int, *, provisional: bool, maps: Writable | None
    ) -> Iterator[Progress]:
        """Run the network over one view."""
        view, predictor = self.views[position], self._predictor
        shown = Place(self._out, view.index) if provisional and self._rescaled is None else None
        journal = self._open_journal(position)
        if position < self._left.view:
            return
        wanted = None if maps is None else Part(maps, (slice(None), *view.index))
        sink = Sink(self._packed, self._task, shown, wanted, self.familiarity)
        image = rescale_image(view.image, self._shape)
        for done, work in predictor.run(image, self._statistics, sink, journal):
            self._work = work
            plan = None if predictor.plan is self._told else predictor.summary()
            self._told = predictor.plan
            step = self._progress(position, done, predictor.stage, sink.take_region())
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
        view = self.views[position]
        if not self._slicewise or view.index[-1] == 0:
            self._highest = 0  # a new frame
        place = Place(self._out, view.index)
        target = place if self._rescaled is None else Place(self._rescaled)
        blocks = replace(blocks, unit=place.chunks if target is place else None)
        passes = _decode(self._task, self._packed, self._scratch, target, blocks, self._highest + 1)
        for done, total, box in passes:
            done = self._work + self._tail * done // (total + 1)
            region = place.region(box) if box is not None and target is place else None
            yield self._progress(position, done, _FINDING, region)
        self._highest = max(self._highest, target.highest)
        if self._rescaled is not None:
            for box in rescale_labels(self._rescaled, place):
                done = self._work + self._tail * total // (total + 1)
                yield self._progress(position, done, _FINDING, place.region(box))
        yield self._progress(position, self._work + self._tail, _FINDING)

    @property
    def _tail(self) -> int:
        """The steps of a view that are decoding."""
        return self._work // 10 + 1

    def _progress(
        self, position: int, done: int, stage: str, region: Region | None = None
    ) -> Progress:
        steps = self._work + self._tail
        return Progress(position * steps + done, len(self.views) * steps, stage, region)


def _factors(
    image: Image, model: Model, config: InferenceConfig
) -> Generator[Progress, None, tuple[float, ...]]:
    """Return by what the image is to be enlarged, per axis of the network."""
    diameter = config.diameter
    if diameter == "auto":
        steps = estimate_diameter(image, model, config)
        diameter = yield from _before_the_work(steps)
    if diameter is None and not config.rescale:
        return (1.0,) * model.ndim
    return rescale_factors(image, model, diameter)


def _before_the_work(
    steps: Generator[Progress, None, float | None],
) -> Generator[Progress, None, float | None]:
    """Do steps whose number is not yet part of the whole work."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: float | None = end.value
            return result
        yield replace(step, done=0)


def _blank(statistics: Statistics) -> bool:
    """Tell whether the image has no contrast in any channel."""
    pairs = zip(statistics.low, statistics.high, strict=True)
    return all(not high > low for low, high in pairs)


def _takes_long(start: Progress) -> bool:
    return start.plan is not None and (start.plan.seconds or 0) > _LONG


def _blocks(memory: int) -> Blocks:
    """Return how to cut an image for decoding in so much memory."""
    threads = min(torch.get_num_threads(), _MOST_THREADS)
    largest = memory // (threads * BYTES_PER_VOXEL)
    usual = Blocks()
    return Blocks(
        min(usual.voxels, max(largest // 2, _FEWEST_VOXELS)), min(usual.largest, largest), threads
    )


def _decode(
    task: Task, packed: Store, scratch: Store, target: Place, blocks: Blocks, first_id: int
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
