"""From an image to labels: its maps, decoded by the model's task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from unet_napari.errors import warn_user
from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.progress import Progress, with_time_left
from unet_napari.inference.sizes.fitting import decides_itself, is_small
from unet_napari.inference.sizes.scaled_run import ScaledRun, SegmentOptions
from unet_napari.inference.views import check_image, find_scale

if TYPE_CHECKING:
    from collections.abc import Generator

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.running.machines import Machines
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.storage.unfinished import Unfinished
    from unet_napari.model.model import Model
    from unet_napari.tasks.familiarity import Familiarity

__all__ = ["is_blank", "say_unfamiliar", "segment_steps"]

# An image scaled by less (a logarithm) shows the model objects of the size they have.
_LEAST_SCALING = 0.1


def segment_steps(
    image: Image,
    model: Model | PreparedModel,
    out: Writable,
    config: InferenceConfig | None = None,
    *,
    statistics: Statistics | None = None,
    provisional: bool = False,
    unfinished: Unfinished | None = None,
    maps: Writable | None = None,
    kept: KeptMaps | None = None,
    machines: Machines | None = None,
) -> Generator[Progress, None, str | None]:
    """Segment an image, step by step; stop by no longer asking.

    A time series is segmented frame by frame. A 2D model of cells makes 3D objects of a stack,
    see `StackDecoder`, unless `config.slicewise`: then every outline of each slice is an object of
    its own, and no two of the stack have one id. Classes are found slice by slice.

    Parameters
    ----------
    image : Image
        May have any size.
    model : Model or PreparedModel
        The model, which is left as it is; best made ready before where it segments many images.
    out : array-like
        Integers of the shape `result_shape`; uint32 has room for every number of cells.
    config : InferenceConfig, optional
        Settings of the prediction.
    statistics, provisional, unfinished, maps, kept, machines
        See `SegmentOptions`.

    Yields
    ------
    Progress
        After each tile or strip and after decoding each view.

    Returns
    -------
    str or None
        What is wrong and what helps, where the image is unlike those that the model knows.

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
    options = SegmentOptions(statistics, provisional, unfinished, maps, kept, machines)
    config = config or InferenceConfig()
    options.check(config)
    return with_time_left(_segment_steps(image, model, out, config, options))


def _segment_steps(
    image: Image,
    given: Model | PreparedModel,
    out: Writable,
    config: InferenceConfig,
    options: SegmentOptions,
) -> Generator[Progress, None, str | None]:
    model = given.model if isinstance(given, PreparedModel) else given
    check_image(image, model, config)
    scale = find_scale(image, model, options.statistics)
    if model.task.kind.separates_objects and is_blank(scale.whole):
        out[...] = 0
        yield Progress(1, 1, "the image has no contrast, so there is no object")
        return None
    prepared = given if isinstance(given, PreparedModel) else PreparedModel.of(model)
    run = ScaledRun(image, prepared, out, config, options, scale)
    if run.left is not None and run.left.decided:
        diameter = run.left.diameter
    elif options.maps is not None or not decides_itself(model, config):
        diameter = yield from run.asked()
    elif is_small(image, model):
        familiarity, diameter = yield from run.judged()
        return say_unfamiliar(familiarity, model, run.factors(diameter))
    else:
        diameter = yield from run.fitting()
    familiarity = yield from run.at(diameter)
    return say_unfamiliar(familiarity, model, run.factors(diameter))


def say_unfamiliar(
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


def is_blank(statistics: Statistics) -> bool:
    """Tell whether the image has no contrast in any channel."""
    pairs = zip(statistics.low, statistics.high, strict=True)
    return all(not high > low for low, high in pairs)
