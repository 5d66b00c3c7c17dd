"""The plan of a stream: as wide as the memory allows, else cut into columns."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from unet_napari.inference.planning.cost import Cost
from unet_napari.inference.planning.plan_memory import held
from unet_napari.inference.streaming.graph import trace
from unet_napari.inference.streaming.stream import choose_strip, rehearse_stream

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.planning.plan import Plan
    from unet_napari.inference.prepared import PreparedModel

__all__ = ["first_cut", "stream_plan"]


def stream_plan(
    plan: Plan, prepared: PreparedModel, config: InferenceConfig, budget: int
) -> Plan | None:
    """Return the plan with the widest columns that fit the memory, or None if none does.

    Parameters
    ----------
    plan : Plan
        Plan of the whole image as one tile.
    prepared : PreparedModel
        Model that predicts.
    config : InferenceConfig
        What the user wants.
    budget : int
        Bytes that may be used.

    Raises
    ------
    NotStreamableError
        If the network cannot be computed row by row.
    """
    reason = "nothing is computed twice that way, and memory does not grow with the image"
    plan = _with_strip(replace(plan, backend="torch", reason=reason), prepared, budget)
    if plan.memory <= budget:
        return plan
    reason = "a stream of the whole image does not fit the memory"
    cut = replace(plan, grid=prepared.grid(config.halo, plan.variants), reason=reason)
    while True:
        tile = cut.grid.next_smaller(cut.shape, cut.tile, first=first_cut(plan))
        if tile is None:
            return None
        share = math.prod(tile) / math.prod(plan.tile)
        cut = replace(cut, tile=tile, cost=plan.cost.scaled(share))
        # Memory shrinks with the tile at best: only what may fit is worth a rehearsal.
        if cut.memory <= budget:
            cut = _with_strip(cut, prepared, budget)
            if cut.memory <= budget:
                return cut


def first_cut(plan: Plan) -> int:
    """Return the first axis along which a stream is cut.

    That is never the one it goes along, but where variants are averaged: some of them go the other
    way or across, and all meet in the memory.
    """
    return 1 if len(plan.variants) == 1 else 0


def _with_strip(plan: Plan, prepared: PreparedModel, budget: int) -> Plan:
    """Return the plan of a stream with its strip and its cost."""
    whole = trace(prepared.network, prepared.input_shape(plan.tile))
    strip = choose_strip(whole, budget)
    plan = replace(plan, strip=strip)
    features = 0
    for shape, rows in {v.shape(plan.tile): plan.rows_at_once(v) for v in plan.variants}.items():
        same = shape == plan.tile
        steps = whole if same else trace(prepared.network, prepared.input_shape(shape))
        features = max(features, rehearse_stream(steps, rows))
    piece = plan.tile if len(plan.variants) > 1 else (strip, *plan.tile[1:])
    memory = features + held(plan, prepared, math.prod(piece))
    return replace(plan, cost=Cost(memory, plan.cost.operations))
