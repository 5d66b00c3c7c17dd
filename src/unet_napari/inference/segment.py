"""From an image to labels: its maps, decoded by the model's task."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unet_napari.device import available_memory, is_out_of_memory
from unet_napari.errors import ResourceError
from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.diameter import estimate_diameter
from unet_napari.inference.int8 import spread
from unet_napari.inference.predict import Predictor
from unet_napari.inference.progress import Progress, with_time_left
from unet_napari.inference.rescale import rescale_image, rescale_labels
from unet_napari.inference.views import check_image, rescale_factors, split_views

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.pipeline import Writable
    from unet_napari.inference.summary import PlanSummary
    from unet_napari.model import Model

    Box = tuple[tuple[int, int], ...]

__all__ = ["segment_steps"]

# Of the memory that is free, for the maps of one view; the rest is for network and decoding.
_SHARE_FOR_MAPS = 0.25


def segment_steps(
    image: Image,
    model: Model,
    out: Writable,
    config: InferenceConfig | None = None,
    *,
    provisional: bool = False,
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
        See `check_image` and `make_plan`.
    """
    config = config or InferenceConfig()
    return with_time_left(_segment_steps(image, model, out, config, provisional=provisional))


def _segment_steps(
    image: Image, model: Model, out: Writable, config: InferenceConfig, *, provisional: bool
) -> Iterator[Progress]:
    check_image(image, model, config)
    statistics = model.normalisation.measure(image)
    cells = model.task.name == "cells"
    if cells and _blank(statistics):
        out[...] = 0
        yield Progress(1, 1, "the image has no contrast, so there is no object")
        return
    views = split_views(image, model.ndim)
    factors = yield from _factors(image, model, config)
    shape = tuple(
        max(1, round(size * factor))
        for size, factor in zip(views[0].image.shape, factors, strict=True)
    )
    predictor = Predictor(model, shape, config)
    examples = (rescale_image(view.image, shape) for view in spread(views))
    predictor.calibrate(examples, statistics)
    told = predictor.plan
    plan: PlanSummary | None = predictor.summary(len(views))
    yield Progress(0, len(views) * _steps(predictor.work), predictor.stage, plan=plan)
    last_id = 0
    with _maps((model.task.out_channels, *shape), config) as maps:
        for position, view in enumerate(views):
            shown = provisional and view.image.shape == shape
            sink = _Shown(maps, model, out, view.index) if shown else _Hidden(maps)
            for done, work in predictor.run(rescale_image(view.image, shape), statistics, sink):
                steps = _steps(work)
                done += position * steps
                plan = None if predictor.plan is told else predictor.summary()
                told = predictor.plan
                region = sink.take_region()
                yield Progress(done, len(views) * steps, predictor.stage, region, plan)
            labels = rescale_labels(_decode(model, maps), view.image.shape)
            if cells and image.ndim > model.ndim:
                if view.index[-1] == 0:
                    last_id = 0  # a new frame
                labels, last_id = _raise_ids(labels, last_id)
            out[(*view.index, ...)] = labels
            done = (position + 1) * steps
            written = _box(view.index, tuple(slice(0, size) for size in view.image.shape))
            yield Progress(done, len(views) * steps, "finding objects", written)


def _steps(work: int) -> int:
    """Return the steps of one view: those of the network, and the last ones for decoding."""
    return work + work // 10 + 1


class _Hidden:
    """The maps as the network fills them."""

    def __init__(self, maps: NDArray[np.float32]) -> None:
        self.shape: tuple[int, ...] = maps.shape
        self._maps = maps

    def __setitem__(self, key: Any, values: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        self._maps[key] = values

    def take_region(self) -> Box | None:
        """Return a box around what was written of the result since the last call."""
        return None


class _Shown(_Hidden):
    """The maps as the network fills them, each part of them shown as provisional labels."""

    def __init__(
        self, maps: NDArray[np.float32], model: Model, out: Writable, index: tuple[int, ...]
    ) -> None:
        super().__init__(maps)
        self._task, self._out, self._index = model.task, out, index
        self._regions: deque[Box] = deque()  # written in one thread, taken in another

    def __setitem__(self, key: Any, values: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        super().__setitem__(key, values)
        self._out[(*self._index, *key[1:])] = self._task.provisional(values)
        self._regions.append(_box(self._index, key[1:]))

    def take_region(self) -> Box | None:
        """Return a box around what was written of the result since the last call."""
        regions = [self._regions.popleft() for _ in range(len(self._regions))]
        if not regions:
            return None
        axes = (tuple(zip(*pairs, strict=True)) for pairs in zip(*regions, strict=True))
        return tuple((min(starts), max(stops)) for starts, stops in axes)


def _box(index: tuple[int, ...], slices: tuple[slice, ...]) -> Box:
    """Return start and stop along every axis of the result, for a part of one view."""
    return (*((i, i + 1) for i in index), *((s.start, s.stop) for s in slices))


def _factors(
    image: Image, model: Model, config: InferenceConfig
) -> Generator[Progress, None, tuple[float, ...]]:
    """Return by what the image is to be enlarged, per axis of the network."""
    diameter = config.diameter
    if diameter == "auto":
        diameter = yield from estimate_diameter(image, model, config)
    if diameter is None and not config.rescale:
        return (1.0,) * model.ndim
    return rescale_factors(image, model, diameter)


def _blank(statistics: Statistics) -> bool:
    """Tell whether the image has no contrast in any channel."""
    pairs = zip(statistics.low, statistics.high, strict=True)
    return all(not high > low for low, high in pairs)


def _decode(model: Model, maps: NDArray[np.float32]) -> NDArray[np.unsignedinteger[Any]]:
    labels: NDArray[np.unsignedinteger[Any]]
    try:
        labels = model.task.decode(maps)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            f"Memory does not suffice to find the objects in {maps[0].size:,} pixels at once. "
            "Close other programs, or segment a part of the image."
        ) from error
    return labels


def _raise_ids(
    labels: NDArray[np.unsignedinteger[Any]], offset: int
) -> tuple[NDArray[np.uint32], int]:
    """Add `offset` to all ids but 0; return the labels and the largest id so far."""
    raised = np.where(labels > 0, labels.astype(np.uint32) + np.uint32(offset), np.uint32(0))
    return raised, max(offset, int(raised.max()))


@contextmanager
def _maps(shape: tuple[int, ...], config: InferenceConfig) -> Iterator[NDArray[np.float32]]:
    """Provide room for the maps of one view: in memory, or on disk where they are too large."""
    size = math.prod(shape) * np.dtype(np.float32).itemsize
    room = config.memory or available_memory(torch.device("cpu"))
    if size <= room * _SHARE_FOR_MAPS:
        yield np.empty(shape, np.float32)
        return
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if size > free:
        raise ResourceError(
            f"The probability maps need {size / 1e9:.1f} GB of disk for a while, but "
            f"{tempfile.gettempdir()} has {free / 1e9:.1f} GB left. Make room there, or set TMPDIR."
        )
    with tempfile.TemporaryFile() as file:  # gone when closed, even if the process is killed
        yield np.memmap(file, np.float32, "w+", shape=shape)
