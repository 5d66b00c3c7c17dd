"""The plan of a prediction: where it runs and how the image is cut, decided before it starts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from unet_napari.errors import ResourceError, SettingsError
from unet_napari.inference.backends.backend import has_openvino
from unet_napari.inference.backends.device_choice import choose_device
from unet_napari.inference.backends.int8 import check_int8
from unet_napari.inference.orientations import variants_of
from unet_napari.inference.planning.cost import rehearse
from unet_napari.inference.planning.grids import make_grid, next_smaller, uncut_grid
from unet_napari.inference.planning.plan import Plan
from unet_napari.inference.planning.plan_memory import cost_of_tiles, with_pipeline
from unet_napari.inference.planning.plan_stream import first_cut, stream_plan
from unet_napari.inference.planning.plan_tiles import batched, stops_soon, tile_plan
from unet_napari.inference.streaming.operations import NotStreamableError
from unet_napari.networks.folding import fold_batch_norm
from unet_napari.orientation import Orientation
from unet_napari.system.device import available_memory

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.model.model import Model

__all__ = ["Plan", "make_plan", "smaller_plan"]

# Of the memory that is free, the rest being for the image, the result and the viewer.
_SHARE_OF_FREE = 0.5
# Below this many operations one tile is done sooner than the first strip of a stream.
_WORTH_STREAMING = 2e10
# Below this many operations torch is done before OpenVINO has compiled the network.
_WORTH_COMPILING = 5e10


def make_plan(model: Model, shape: tuple[int, ...], config: InferenceConfig) -> Plan:
    """Decide how an image is predicted.

    On a CPU torch streams, if the network can be computed row by row and the image is not so
    small that one tile is done sooner. What is not streamed is one tile if it is small enough,
    else it is cut into tiles.

    Parameters
    ----------
    model : Model
        The model.
    shape : tuple of int
        Of the image, along the axes of the network.
    config : InferenceConfig
        What the user wants.

    Returns
    -------
    Plan

    Raises
    ------
    ResourceError
        If not even the smallest piece of the image fits the memory.
    SettingsError
        If the settings do not suit the model.

    Warns
    -----
    UnetNapariWarning
        If the device is not there, and see `make_grid`.
    """
    if config.tile is not None and len(config.tile) != model.ndim:
        raise SettingsError(
            f"tile has {len(config.tile)} numbers, but the model is {model.ndim}D: "
            "give one number of pixels per axis."
        )
    wanted = "cpu" if config.precision == "int8" else config.device
    device = choose_device(wanted, model.ndim)
    budget = config.memory or int(available_memory(device) * _SHARE_OF_FREE)
    variants = variants_of(model) if config.tta else (Orientation.plain(model.ndim),)
    grid = uncut_grid(model.network)
    tile = grid.input_shape(shape)
    model = _folded(model)
    cost = rehearse(model.network, (1, model.channels, *tile))
    backend = _choose_backend(config, device, len(variants) * cost.operations)
    reason = "it fits the memory and takes a moment"
    precision = config.precision
    plan = Plan(shape, grid, tile, None, 1, variants, cost, backend, device, precision, reason)
    plan = replace(plan, cost=with_pipeline(cost, plan, model))
    if config.tile is not None:
        if all(size <= limit for size, limit in zip(tile, config.tile, strict=True)):
            return plan
        grid = make_grid(model, config.halo, plan.variants)
        plan = replace(plan, grid=grid, tile=grid.fit(shape, config.tile)[0])
        return batched(replace(plan, reason="this size was asked for"), model, config, budget)
    whole = plan.memory <= budget and stops_soon(plan)
    if whole and (backend == "openvino" or cost.operations <= _WORTH_STREAMING):
        return plan
    streamed = _streamed(plan, model, config, budget)
    if isinstance(streamed, Plan):
        return streamed
    return plan if whole else tile_plan(replace(plan, reason=streamed), model, config, budget)


def smaller_plan(plan: Plan, model: Model, config: InferenceConfig) -> Plan:
    """Return what to try after memory ran out: fewer tiles at a time, smaller ones, then the CPU.

    Raises
    ------
    ResourceError
        If the smallest tiles do not fit on the CPU either.

    Warns
    -----
    UnetNapariWarning
        See `make_grid`.
    """
    plan, model = replace(plan, reason="memory ran out"), _folded(model)
    if plan.batch > 1:
        plan = replace(plan, batch=plan.batch // 2)
        return replace(plan, cost=cost_of_tiles(plan, model))
    cut = plan.tile != plan.grid.input_shape(plan.shape)
    plan = plan if cut else replace(plan, grid=make_grid(model, config.halo, plan.variants))
    if plan.strip is not None:
        tile = next_smaller(plan.grid, plan.shape, plan.tile, first=first_cut(plan))
        if tile is not None:
            share = math.prod(tile) / math.prod(plan.tile)
            return replace(plan, tile=tile, cost=plan.cost.scaled(share))
    tile = next_smaller(plan.grid, plan.shape, plan.tile)
    if tile is not None:
        plan = replace(plan, strip=None, tile=tile)
        return replace(plan, cost=cost_of_tiles(plan, model))
    if plan.device.type != "cpu":
        return replace(plan, device=torch.device("cpu"), precision="fp32")
    raise ResourceError(
        "The memory of this computer does not suffice for this model, even in the smallest pieces "
        f"of {' x '.join(map(str, plan.tile))} pixels. Close other programs, or train a model "
        "with fewer features."
    )


def _folded(model: Model) -> Model:
    """Return the model as it is computed, and so costs."""
    return replace(model, network=fold_batch_norm(model.network).cpu())


def _streamed(plan: Plan, model: Model, config: InferenceConfig, budget: int) -> Plan | str:
    """Return the plan of a stream, or why there is none."""
    if plan.device.type != "cpu":
        return f"the {plan.device.type} has no room for the whole image at once"
    if config.backend == "openvino" or config.precision == "int8":
        return "OpenVINO takes tiles, and the image is too large for one"
    if config.precision not in ("auto", "fp32"):
        return "only fp32 is streamed, and the image is too large for one tile"
    try:
        streamed = stream_plan(plan, model, config, budget)
    except NotStreamableError:
        return "its norm, which looks at all rows at once, keeps it from being streamed"
    return streamed or "there is no memory even for narrow columns"


def _choose_backend(config: InferenceConfig, device: torch.device, operations: int) -> str:
    if config.precision == "int8":
        check_int8()
        return "openvino"
    if config.backend == "openvino":
        if config.precision not in ("auto", "fp32"):
            raise SettingsError(
                f"OpenVINO computes in fp32 or int8 here, not in {config.precision}: "
                'choose the precision "auto" or the backend "torch".'
            )
        return "openvino"
    suits = device.type == "cpu" and config.precision in ("auto", "fp32") and has_openvino()
    if config.backend == "auto" and suits and operations >= _WORTH_COMPILING:
        return "openvino"
    return "torch"
