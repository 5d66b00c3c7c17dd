"""The plan of a prediction: where it runs and how the image is cut, decided before it starts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from unet_napari.errors import ResourceError, SettingsError
from unet_napari.inference.backends.device_choice import choose_device, choose_precision
from unet_napari.inference.backends.int8 import check_int8
from unet_napari.inference.backends.table import BACKEND_ENTRIES, find_backend
from unet_napari.inference.orientations import variants_of
from unet_napari.inference.planning.cost import rehearse
from unet_napari.inference.planning.plan import Plan
from unet_napari.inference.planning.plan_memory import cost_of_tiles, with_pipeline
from unet_napari.inference.planning.plan_stream import first_cut, stream_plan
from unet_napari.inference.planning.plan_tiles import batched, stops_soon, tile_plan
from unet_napari.inference.streaming.operations import NotStreamableError
from unet_napari.orientation import Orientation
from unet_napari.system.device import available_memory

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.prepared import PreparedModel

__all__ = ["Plan", "make_plan", "smaller_plan"]

# Of the memory that is free, the rest being for the image, the result and the viewer.
_SHARE_OF_FREE = 0.5
# Below this many operations one tile is done sooner than the first strip of a stream.
_WORTH_STREAMING = 2e10


def make_plan(prepared: PreparedModel, shape: tuple[int, ...], config: InferenceConfig) -> Plan:
    """Decide how an image is predicted.

    On a CPU torch streams, if the network can be computed row by row and the image is not so
    small that one tile is done sooner. What is not streamed is one tile if it is small enough,
    else it is cut into tiles.

    Parameters
    ----------
    prepared : PreparedModel
        Model that predicts.
    shape : tuple of int
        Shape of the image, along the axes of the network.
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
        If the device is not there, and see `PreparedModel.grid`.
    """
    ndim = prepared.model.ndim
    if config.tile is not None and len(config.tile) != ndim:
        raise SettingsError(
            f"tile has {len(config.tile)} numbers, but the model is {ndim}D: "
            "give one number of pixels per axis."
        )
    device = choose_device("cpu" if config.precision == "int8" else config.device, ndim)
    budget = config.memory or int(available_memory(device) * _SHARE_OF_FREE)
    plan = _whole_plan(prepared, shape, config, device)
    if config.tile is not None:
        return _plan_as_asked(plan, prepared, config, budget)
    whole = plan.memory <= budget and stops_soon(plan)
    soon = not BACKEND_ENTRIES[plan.backend].streams or plan.cost.operations <= _WORTH_STREAMING
    if whole and soon:
        return plan
    streamed = _streamed(plan, prepared, config, budget)
    if isinstance(streamed, Plan):
        return streamed
    return plan if whole else tile_plan(replace(plan, reason=streamed), prepared, config, budget)


def _whole_plan(
    prepared: PreparedModel, shape: tuple[int, ...], config: InferenceConfig, device: torch.device
) -> Plan:
    """Return the plan of the whole image as one tile."""
    variants = variants_of(prepared.model) if config.tta else (Orientation.plain(len(shape)),)
    grid = prepared.uncut_grid
    tile = grid.input_shape(shape)
    cost = rehearse(prepared.network, prepared.input_shape(tile))
    backend = _choose_backend(config, device, len(variants) * cost.operations)
    reason = "it fits the memory and takes a moment"
    precision = choose_precision(config.precision, device)
    plan = Plan(shape, grid, tile, None, 1, variants, cost, backend, device, precision, reason)
    return replace(plan, cost=with_pipeline(cost, plan, prepared))


def _plan_as_asked(
    plan: Plan, prepared: PreparedModel, config: InferenceConfig, budget: int
) -> Plan:
    """Return the plan of tiles of the size that the user asks for."""
    asked = config.tile or plan.tile
    if all(size <= limit for size, limit in zip(plan.tile, asked, strict=True)):
        return plan
    grid = prepared.grid(config.halo, plan.variants)
    tile = grid.fit(plan.shape, asked)[0]
    plan = replace(plan, grid=grid, tile=tile, reason="this size was asked for")
    return batched(plan, prepared, config, budget)


def smaller_plan(plan: Plan, prepared: PreparedModel, config: InferenceConfig) -> Plan:
    """Return what to try after memory ran out: fewer tiles at a time, smaller ones, then the CPU.

    Raises
    ------
    ResourceError
        If the smallest tiles do not fit on the CPU either.

    Warns
    -----
    UnetNapariWarning
        See `PreparedModel.grid`.
    """
    plan = replace(plan, reason="memory ran out")
    if plan.batch > 1:
        plan = replace(plan, batch=plan.batch // 2)
        return replace(plan, cost=cost_of_tiles(plan, prepared))
    cut = plan.tile != plan.grid.input_shape(plan.shape)
    plan = plan if cut else replace(plan, grid=prepared.grid(config.halo, plan.variants))
    if plan.strip is not None:
        tile = plan.grid.next_smaller(plan.shape, plan.tile, first=first_cut(plan))
        if tile is not None:
            share = math.prod(tile) / math.prod(plan.tile)
            return replace(plan, tile=tile, cost=plan.cost.scaled(share))
    tile = plan.grid.next_smaller(plan.shape, plan.tile)
    if tile is not None:
        plan = replace(plan, strip=None, tile=tile)
        return replace(plan, cost=cost_of_tiles(plan, prepared))
    if plan.device.type != "cpu":
        return replace(plan, device=torch.device("cpu"), precision="fp32")
    raise ResourceError(
        "The memory of this computer does not suffice for this model, even in the smallest pieces "
        f"of {' x '.join(map(str, plan.tile))} pixels. Close other programs, or train a model "
        "with fewer features."
    )


def _streamed(
    plan: Plan, prepared: PreparedModel, config: InferenceConfig, budget: int
) -> Plan | str:
    """Return the plan of a stream, or why there is none."""
    if plan.device.type != "cpu":
        return f"the {plan.device.type} has no room for the whole image at once"
    auto = config.backend == "auto"
    wanted = find_backend(config.precision) if auto else BACKEND_ENTRIES[config.backend]
    if not wanted.streams:
        return f"{wanted.title} takes tiles, and the image is too large for one"
    try:
        streamed = stream_plan(plan, prepared, config, budget)
    except NotStreamableError:
        return "its norm, which looks at all rows at once, keeps it from being streamed"
    return streamed or "there is no memory even for narrow columns"


def _choose_backend(config: InferenceConfig, device: torch.device, operations: int) -> str:
    """Return the name of the backend that is asked for, or of the one that is fastest."""
    if config.precision == "int8":
        check_int8()
    if config.backend != "auto":
        asked = BACKEND_ENTRIES[config.backend]
        if config.precision not in asked.precisions:
            formats = " or ".join(name for name in asked.precisions if name != "auto")
            raise SettingsError(
                f"{asked.title} computes in {formats} here, not in {config.precision}: "
                'choose the precision "auto" or the backend "torch".'
            )
        return asked.name
    if device.type == "cpu" and config.precision in ("auto", "fp32"):
        for entry in BACKEND_ENTRIES.values():
            pays = entry.operations is not None and operations >= entry.operations
            if pays and entry.installed:
                return entry.name
    return find_backend(config.precision).name
