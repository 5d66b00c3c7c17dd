"""The plan of a prediction: where it runs and how the image is cut, decided before it starts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from unet_napari.device import available_memory, choose_device
from unet_napari.errors import ResourceError, SettingsError
from unet_napari.inference.backends import has_openvino
from unet_napari.inference.cost import Cost, rehearse
from unet_napari.inference.graph import trace, without_data
from unet_napari.inference.grids import make_grid, shrink, uncut_grid
from unet_napari.inference.int8 import check_int8
from unet_napari.inference.layout import Plan
from unet_napari.inference.operations import NotStreamableError
from unet_napari.inference.pipeline import AHEAD, BEHIND
from unet_napari.inference.stream import choose_strip, rehearse_stream
from unet_napari.inference.variants import PLAIN, variants_of
from unet_napari.networks.folding import fold_batch_norm
from unet_napari.words import human_size

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.tiles import Grid
    from unet_napari.model import Model
    from unet_napari.networks import Network

__all__ = ["Plan", "make_plan", "smaller_plan"]

# Of the memory that is free, the rest being for the image, the result and the viewer.
_SHARE_OF_FREE = 0.5
# What the backends really take for each byte of features that a rehearsal counts (OpenVINO uses
# memory again that torch does not; a stream leaves gaps where its rows move and grow).
_WORKSPACE = {"torch": 1.15, "openvino": 0.75}
_WORKSPACE_OF_STREAM = 1.3
# Operations at a time, so that a CPU of two cores takes two seconds at most and Stop acts soon.
_OPERATIONS_AT_ONCE = 2e11
# Halos computed again and again cost more than a slow Stop annoys: tiles are not cut further.
_MOST_REPEATED = 2.0
# Below this many operations torch is done before OpenVINO has compiled the network.
_WORTH_COMPILING = 5e10
# Tiles that a GPU takes at a time at most: more keep no more of it busy.
_LARGEST_BATCH = 16


def make_plan(model: Model, shape: tuple[int, ...], config: InferenceConfig) -> Plan:
    """Decide how an image is predicted.

    An image that is small enough is one tile. On a CPU others are streamed, if the network
    can be computed row by row. What is left is cut into tiles.

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
    device = choose_device("cpu" if config.precision == "int8" else config.device)
    budget = config.memory or int(available_memory(device) * _SHARE_OF_FREE)
    variants = variants_of(model) if config.tta else (PLAIN,)
    grid = uncut_grid(model.network)
    tile = grid.input_shape(shape)
    cost = rehearse(model.network, (1, model.channels, *tile))
    backend = _choose_backend(config, device, len(variants) * cost.operations)
    reason = "it fits the memory and takes a moment"
    precision = config.precision
    plan = Plan(shape, grid, tile, None, 1, variants, cost, backend, device, precision, reason)
    plan = replace(plan, cost=_with_pipeline(cost, plan, model))
    if config.tile is not None:
        if all(size <= limit for size, limit in zip(tile, config.tile, strict=True)):
            return plan
        grid = _grid(plan, model, config)
        plan = replace(plan, grid=grid, tile=grid.fit(shape, config.tile)[0])
        return _batched(replace(plan, reason="this size was asked for"), model, config, budget)
    quick = device.type != "cpu" or cost.operations <= _OPERATIONS_AT_ONCE
    if plan.memory <= budget and quick:
        return plan
    return _cut_plan(plan, model, config, budget)


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
    plan = replace(plan, reason="memory ran out")
    if plan.batch > 1:
        plan = replace(plan, batch=plan.batch // 2)
        return replace(plan, cost=_tile_cost(plan, model))
    cut = plan.tile != plan.grid.input_shape(plan.shape)
    plan = plan if cut else replace(plan, grid=_grid(plan, model, config))
    if plan.strip is not None:
        tile = shrink(plan.grid, plan.shape, plan.tile, first=_first_cut(plan))
        if tile is not None:
            share = math.prod(tile) / math.prod(plan.tile)
            return replace(plan, tile=tile, cost=plan.cost.scaled(share))
    tile = shrink(plan.grid, plan.shape, plan.tile)
    if tile is not None:
        plan = replace(plan, strip=None, tile=tile)
        return replace(plan, cost=_tile_cost(plan, model))
    if plan.device.type != "cpu":
        return replace(plan, device=torch.device("cpu"), precision="fp32")
    raise ResourceError(
        "The memory of this computer does not suffice for this model, even in the smallest pieces "
        f"of {' x '.join(map(str, plan.tile))} pixels. Close other programs, or train a model "
        "with fewer features."
    )


def _cut_plan(plan: Plan, model: Model, config: InferenceConfig, budget: int) -> Plan:
    """Return the plan for an image that is too large for one tile: a stream, else tiles."""
    reason = f"the {plan.device.type} has no room for the whole image at once"
    if plan.device.type == "cpu":
        if config.backend == "openvino" or config.precision == "int8":
            reason = "OpenVINO takes tiles, and the image is too large for one"
        elif config.precision not in ("auto", "fp32"):
            reason = "only fp32 is streamed, and the image is too large for one tile"
        else:
            try:
                streamed = _stream_plan(plan, model, config, budget)
            except NotStreamableError:
                reason = "its norm, which looks at all rows at once, keeps it from being streamed"
            else:
                if streamed is not None:
                    return streamed
                reason = "there is no memory even for narrow columns"
    return _tile_plan(replace(plan, reason=reason), model, config, budget)


def _stream_plan(plan: Plan, model: Model, config: InferenceConfig, budget: int) -> Plan | None:
    """Return the plan with the widest columns that fit the memory, or None if none does.

    Raises
    ------
    NotStreamableError
        If the network cannot be computed row by row.
    """
    network = fold_batch_norm(without_data(model.network))
    reason = "nothing is computed twice that way, and memory does not grow with the image"
    plan = _with_strip(replace(plan, backend="torch", reason=reason), network, model, budget)
    if plan.memory <= budget:
        return plan
    reason = "a stream of the whole image does not fit the memory"
    cut = replace(plan, grid=_grid(plan, model, config), reason=reason)
    while True:
        tile = shrink(cut.grid, cut.shape, cut.tile, first=_first_cut(plan))
        if tile is None:
            return None
        share = math.prod(tile) / math.prod(plan.tile)
        cut = replace(cut, tile=tile, cost=plan.cost.scaled(share))
        # Memory shrinks with the tile at best: only what may fit is worth a rehearsal.
        if cut.memory <= budget:
            cut = _with_strip(cut, network, model, budget)
            if cut.memory <= budget:
                return cut


def _first_cut(plan: Plan) -> int:
    """Return the first axis along which a stream is cut.

    That is never the one it goes along, but where variants are averaged: some of them go the other
    way or across, and all meet in the memory.
    """
    return 1 if len(plan.variants) == 1 else 0


def _with_strip(plan: Plan, network: Network, model: Model, budget: int) -> Plan:
    """Return the plan of a stream with its strip and its cost.

    Parameters
    ----------
    network : Network
        That of the model, folded and without data.
    """
    whole = trace(network, (1, model.channels, *plan.tile))
    strip = choose_strip(whole, budget)
    plan = replace(plan, strip=strip)
    features = 0
    for shape, rows in {v.shape(plan.tile): plan.rows_at_once(v) for v in plan.variants}.items():
        same = shape == plan.tile
        steps = whole if same else trace(network, (1, model.channels, *shape))
        features = max(features, rehearse_stream(steps, rows))
    held = plan.tile if len(plan.variants) > 1 else (strip, *plan.tile[1:])
    memory = int(features * _WORKSPACE_OF_STREAM) + _held(plan, model, math.prod(held))
    return replace(plan, cost=Cost(memory, plan.cost.operations))


def _tile_plan(plan: Plan, model: Model, config: InferenceConfig, budget: int) -> Plan:
    """Return the plan with the largest tiles that fit the memory and let Stop act soon."""
    grid = _grid(plan, model, config)
    tile = plan.tile
    while True:
        share = math.prod(tile) / math.prod(plan.tile)
        cut = replace(plan, grid=grid, tile=tile, cost=plan.cost.scaled(share))
        fits = cut.memory <= budget
        quick = plan.device.type != "cpu" or cut.cost.operations <= _OPERATIONS_AT_ONCE
        smaller = shrink(grid, plan.shape, tile)
        if smaller is None and not fits and plan.device.type == "cpu":
            raise ResourceError(
                f"The model {model.name!r} needs {human_size(cut.memory)} of memory even for "
                f"the smallest piece of the image, but only {human_size(budget)} may be used. "
                "Allow more, close other programs, or train a model with fewer features."
            )
        if smaller is None or (fits and quick):
            break
        repeated = grid.fit(plan.shape, smaller)[1] * math.prod(smaller) / math.prod(plan.tile)
        if fits and repeated > _MOST_REPEATED:
            break
        tile = smaller
    return _batched(cut, model, config, budget)


def _batched(plan: Plan, model: Model, config: InferenceConfig, budget: int) -> Plan:
    """Return the plan of tiles with as many of them at a time as are wanted and fit the memory."""
    plan = replace(plan, cost=_tile_cost(plan, model))
    wanted = config.batch or (1 if plan.device.type == "cpu" else _LARGEST_BATCH)
    fitting = max(1, budget // plan.memory)
    batch = min(wanted, fitting, plan.count)
    if batch == 1:
        return plan
    plan = replace(plan, batch=batch)
    return replace(plan, cost=_tile_cost(plan, model))


def _tile_cost(plan: Plan, model: Model) -> Cost:
    cost = rehearse(model.network, (plan.batch, model.channels, *plan.tile))
    return _with_pipeline(cost, plan, model)


def _with_pipeline(cost: Cost, plan: Plan, model: Model) -> Cost:
    """Return the cost of a batch of tiles, given that of the network alone."""
    held = _held(plan, model, plan.batch * math.prod(plan.tile))
    memory = int(cost.memory * _WORKSPACE[plan.backend]) + held
    return Cost(memory, cost.operations // plan.batch)


def _held(plan: Plan, model: Model, pixels: int) -> int:
    """Return the bytes that the pipeline holds, on the CPU, for pieces of so many pixels."""
    if plan.device.type != "cpu":
        return 0
    read, written = AHEAD + 1, BEHIND + 1
    if len(plan.variants) > 1:  # the piece as one variant sees it, and the mean of their maps
        read, written = read + 1, written + 1
    numbers = read * model.channels + written * model.task.out_channels
    return numbers * pixels * torch.float32.itemsize


def _grid(plan: Plan, model: Model, config: InferenceConfig) -> Grid:
    grid = make_grid(model, config.halo)
    if any(variant.turned for variant in plan.variants):
        grid = replace(grid, halo=(*grid.halo[:-2], *2 * (max(grid.halo[-2:]),)))
    return grid


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
