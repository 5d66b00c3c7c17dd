"""The plan of tiles: as large as the memory allows, and as many at a time as a GPU takes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from unet_napari.errors import ResourceError
from unet_napari.inference.planning.plan_memory import cost_of_tiles
from unet_napari.system.text import human_size

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.planning.plan import Plan
    from unet_napari.inference.prepared import PreparedModel

__all__ = ["batched", "stops_soon", "tile_plan"]

# Operations at a time, so that a CPU of two cores takes two seconds at most and Stop acts soon.
_OPERATIONS_AT_ONCE = 2e11
# How many times as many pixels as the image has are computed at most, halos included: tiles are not
# cut further then, and Stop acts later instead.
_MOST_REPEATED = 2.0
# Tiles that a GPU takes at a time at most: more keep no more of it busy.
_LARGEST_BATCH = 16


def tile_plan(plan: Plan, prepared: PreparedModel, config: InferenceConfig, budget: int) -> Plan:
    """Return the plan with the largest tiles that fit the memory and let Stop act soon."""
    grid = prepared.grid(config.halo, plan.variants)
    tile = plan.tile
    while True:
        share = math.prod(tile) / math.prod(plan.tile)
        cut = replace(plan, grid=grid, tile=tile, cost=plan.cost.scaled(share))
        fits = cut.memory <= budget
        smaller = grid.next_smaller(plan.shape, tile)
        if smaller is None and not fits and plan.device.type == "cpu":
            raise ResourceError(
                f"The model {prepared.model.name!r} needs {human_size(cut.memory)} of memory even "
                f"for the smallest piece of the image, but only {human_size(budget)} may be used. "
                "Allow more, close other programs, or train a model with fewer features."
            )
        if smaller is None or (fits and stops_soon(cut)):
            break
        repeated = grid.fit(plan.shape, smaller)[1] * math.prod(smaller) / math.prod(plan.tile)
        if fits and repeated > _MOST_REPEATED:
            break
        tile = smaller
    return batched(cut, prepared, config, budget)


def stops_soon(plan: Plan) -> bool:
    """Tell whether one tile takes so little time that Stop acts soon."""
    return plan.device.type != "cpu" or plan.cost.operations <= _OPERATIONS_AT_ONCE


def batched(plan: Plan, prepared: PreparedModel, config: InferenceConfig, budget: int) -> Plan:
    """Return the plan of tiles with as many of them at a time as are wanted and fit the memory."""
    plan = replace(plan, cost=cost_of_tiles(plan, prepared))
    wanted = config.batch or (1 if plan.device.type == "cpu" else _LARGEST_BATCH)
    fitting = max(1, budget // plan.memory)
    batch = min(wanted, fitting, plan.count)
    if batch == 1:
        return plan
    plan = replace(plan, batch=batch)
    return replace(plan, cost=cost_of_tiles(plan, prepared))
