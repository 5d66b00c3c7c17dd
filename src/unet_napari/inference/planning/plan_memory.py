"""What a plan costs: the network, rehearsed, and what the pipeline around it holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from unet_napari.inference.backends.table import BACKEND_ENTRIES
from unet_napari.inference.planning.cost import Cost, rehearse
from unet_napari.inference.planning.plan import AHEAD, BEHIND

if TYPE_CHECKING:
    from unet_napari.inference.planning.plan import Plan
    from unet_napari.inference.prepared import PreparedModel

__all__ = ["cost_of_tiles", "held", "with_pipeline"]


def cost_of_tiles(plan: Plan, prepared: PreparedModel) -> Cost:
    """Return the cost of a batch of the tiles of a plan."""
    cost = rehearse(prepared.network, prepared.input_shape(plan.tile, plan.batch))
    return with_pipeline(cost, plan, prepared)


def with_pipeline(cost: Cost, plan: Plan, prepared: PreparedModel) -> Cost:
    """Return the cost of a batch of tiles, given that of the network alone."""
    around = held(plan, prepared, plan.batch * math.prod(plan.tile))
    memory = int(cost.memory * BACKEND_ENTRIES[plan.backend].workspace) + around
    return Cost(memory, cost.operations // plan.batch)


def held(plan: Plan, prepared: PreparedModel, pixels: int) -> int:
    """Return the bytes that the pipeline holds, on the CPU, for pieces of so many pixels."""
    if plan.device.type != "cpu":
        return 0
    read, written = AHEAD + 1, BEHIND + 1
    if len(plan.variants) > 1:  # the piece as one variant sees it, and the mean of their maps
        read, written = read + 1, written + 1
    model = prepared.model
    numbers = read * model.channels + written * model.task.out_channels
    return numbers * pixels * torch.float32.itemsize
