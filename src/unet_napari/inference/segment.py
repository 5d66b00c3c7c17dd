"""From an image to labels: its maps, decoded by the model's task."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from unet_napari.errors import SettingsError, warn_user
from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.diameter import trial_steps
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.progress import Progress, with_time_left
from unet_napari.inference.running.planned import Segmentation
from unet_napari.inference.segmentation import SegmentationRun
from unet_napari.inference.storage.request_key import request_key
from unet_napari.inference.storage.scratch import Room
from unet_napari.inference.storage.unfinished import Journals, Unfinished
from unet_napari.inference.views import check_image, find_scale, rescale_factors
from unet_napari.system.device import available_memory

if TYPE_CHECKING:
    from collections.abc import Generator

    from unet_napari.images import Image, Scale, Statistics
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.model.model import Model
    from unet_napari.tasks.familiarity import Familiarity

__all__ = ["SegmentOptions", "segment_steps"]

# Share of the free memory that is used, and share of that for what is kept of the maps of one view;
# the rest is for the network, then for blocks of the maps while they are decoded.
_SHARE_OF_FREE = 0.5
_SHARE_FOR_MAPS = 0.5
# Seconds from which on a run is worth being resumed.
_LONG_RUN = 60.0
# An image scaled by less (a logarithm) shows the model objects of the size they have.
_LEAST_SCALING = 0.1
_CPU = torch.device("cpu")


def segment_steps(
    image: Image,
    model: Model,
    out: Writable,
    config: InferenceConfig | None = None,
    *,
    statistics: Statistics | None = None,
    provisional: bool = False,
    unfinished: Unfinished | None = None,
    maps: Writable | None = None,
    kept: KeptMaps | None = None,
) -> Generator[Progress, None, str | None]:
    """Segment an image, step by step; stop by no longer asking.

    A time series is segmented frame by frame. A 2D model of cells makes 3D objects of a stack,
    see `StackDecoder`, unless `config.slicewise`: then every outline of each slice is an object of
    its own, and no two of the stack have one id. Classes are found slice by slice.

    Parameters
    ----------
    image : Image
        May have any size.
    model : Model
        Left as it is.
    out : array-like
        Integers of the shape `result_shape`; uint32 has room for every number of cells.
    config : InferenceConfig, optional
        How the model is run.
    statistics, provisional, unfinished, maps, kept
        See `SegmentOptions`.

    Yields
    ------
    Progress
        After each tile or strip and after decoding each view.

    Returns
    -------
    str or None
        What is wrong and what helps, in words for the user, where the image is unlike those that
        the model knows.

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
        See `check_image` and `make_plan`; and in the end what is returned.
    """
    options = SegmentOptions(statistics, provisional, unfinished, maps, kept)
    config = config or InferenceConfig()
    options.check(config)
    return with_time_left(_segment_steps(image, model, out, config, options))


@dataclass(frozen=True)
class SegmentOptions:
    """What may be given to `segment_steps` besides the settings.

    Attributes
    ----------
    statistics : Statistics, optional
        Brightness of the whole of which the image is a part, see `find_scale`. By default it is
        measured on the image.
    provisional : bool
        Fill the result while the network runs: the foreground of cells as label 1, until the
        cells are known; classes right away. `Progress.region` says where.
    unfinished : Unfinished, optional
        Where to keep what is done, if that takes more than a minute, and from where to go on.
    maps : array-like, optional
        float32, (K, [T,] *S), for the probability maps as of `predict_steps`. Not together with
        `unfinished`, nor where the image is rescaled.
    kept : KeptMaps, optional
        Where the maps are kept after the run, if there is room, to be decoded again. Not together
        with `unfinished`.
    """

    statistics: Statistics | None = None
    provisional: bool = False
    unfinished: Unfinished | None = None
    maps: Writable | None = None
    kept: KeptMaps | None = None

    def check(self, config: InferenceConfig) -> None:
        """Raise `SettingsError` if maps are asked for where there are none of the image itself."""
        scaled = config.rescale or config.diameter is not None
        if self.maps is not None and (self.unfinished or scaled):
            raise SettingsError(
                "Probability maps are made at the image's own scale and in one go: leave rescale, "
                "diameter and resuming off, or ask for labels alone."
            )


def _segment_steps(
    image: Image, model: Model, out: Writable, config: InferenceConfig, options: SegmentOptions
) -> Generator[Progress, None, str | None]:
    check_image(image, model, config)
    scale = find_scale(image, model, options.statistics)
    if model.task.kind.separates_objects and _blank(scale.whole):
        out[...] = 0
        yield Progress(1, 1, "the image has no contrast, so there is no object")
        return None
    prepared = PreparedModel.of(model)
    factors = yield from _factors(image, prepared, config, scale)
    unfinished = options.unfinished
    request = partial(request_key, image, model, config, scale.whole)
    key = request() if unfinished and unfinished.left else None
    # A run that goes on takes the memory of the one before, so that the image is cut as it was.
    left = unfinished.memory(key) if unfinished and key else None
    memory = config.memory or left or int(available_memory(_CPU) * _SHARE_OF_FREE)
    if left:
        config = replace(config, memory=left)
    planned = Segmentation(image, prepared, out, config, scale, factors)
    start = planned.start()
    yield start
    memory_of_maps, kept = int(memory * _SHARE_FOR_MAPS), options.kept
    if kept is not None and not planned.reserve(kept, memory_of_maps):
        kept = None
    with Room(memory_of_maps - (kept.memory if kept else 0)) as room:
        journals = None
        if unfinished and (left or _takes_long(start)):
            key = key or request()
            if key:
                journals = Journals(unfinished, unfinished.begin(key, memory))
        run = SegmentationRun(planned, room, int(memory * (1 - _SHARE_FOR_MAPS)), journals, kept)
        yield from run.steps(provisional=options.provisional, maps=options.maps)
    if kept is not None:
        kept.finish(run.rest())
    return _said_of(run.familiarity, model, factors)


def _said_of(
    familiarity: Familiarity | None, model: Model, factors: tuple[float, ...]
) -> str | None:
    """Warn where the image is unlike those that the model knows, and return the warning."""
    strange = None if familiarity is None else familiarity.describe()
    if strange is None:
        return None
    unfamiliar = f"Check the result: '{model.name}' {strange}. {_remedies(model, factors)}"
    warn_user(unfamiliar, stacklevel=3)
    return unfamiliar


def _remedies(model: Model, factors: tuple[float, ...]) -> str:
    """Say what helps where an image is unlike those that a model knows."""
    remedies = ["choose another model", "train one on some cells of this image"]
    if model.diameter is not None:
        scale = max(factors, key=lambda factor: abs(math.log(factor)))
        size = f"knows cells of about {model.diameter:.0f} pixels"
        if abs(math.log(scale)) > _LEAST_SCALING:
            size += f", taken here for {model.diameter / scale:.0f}"
        remedies.insert(0, f"set Diameter if the cells have another size (it {size})")
    *first, last = remedies
    return f"If cells are missed, cut or joined: {', '.join(first)}, or {last}."


def _factors(
    image: Image, prepared: PreparedModel, config: InferenceConfig, scale: Scale
) -> Generator[Progress, None, tuple[float, ...]]:
    """Return by what the image is to be enlarged, per axis of the network."""
    model, diameter = prepared.model, config.diameter
    if diameter == "auto":
        steps = trial_steps(image, prepared, config, scale)
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
    return start.plan is not None and (start.plan.seconds or 0) > _LONG_RUN
