"""The plan of a prediction: where it runs and how the image is cut, decided before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from unet_napari.device import available_memory, choose_device
from unet_napari.errors import ResourceError, SettingsError
from unet_napari.inference.backends import has_openvino
from unet_napari.inference.cost import Cost, rehearse
from unet_napari.inference.graph import trace, without_data
from unet_napari.inference.grids import make_grid, shrink, uncut_grid
from unet_napari.inference.int8 import check_int8
from unet_napari.inference.operations import NotStreamableError
from unet_napari.inference.stream import choose_strip, rehearse_stream
from unet_napari.inference.tiles import Grid, Tile
from unet_napari.networks.folding import fold_batch_norm

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.model import Model
    from unet_napari.networks import Network

__all__ = ["Plan", "make_plan", "smaller_plan"]

# Of the memory that is free, the rest being for the image, the result and the viewer.
_SHARE_OF_FREE = 0.5
# What the backends really take for each byte of features that a rehearsal counts (OpenVINO uses
# memory again that torch does not), and the least that their kernels and the allocator take.
_WORKSPACE = {"torch": 1.15, "openvino": 0.75}
_KERNELS = 48 * 2**20
# Operations at a time, so that a CPU of two cores takes two seconds at most and Stop acts soon.
_OPERATIONS_AT_ONCE = 2e11
# Halos computed again and again cost more than a slow Stop annoys: tiles are not cut further.
_MOST_REPEATED = 2.0
# Below this many operations torch is done before OpenVINO has compiled the network.
_WORTH_COMPILING = 5e10


@dataclass(frozen=True)
class Plan:
    """How one image is predicted.

    Attributes
    ----------
    shape : tuple of int
        Of the image, along the axes of the network.
    grid : Grid
        Where it may be cut.
    tile : tuple of int
        Outer shape of every tile; of a stream, of every column that it goes down.
    strip : int or None
        Rows that a stream takes at a time; None for tiles that are taken as a whole.
    cost : Cost
        Of one tile or column; the memory is that of its features.
    backend : {"torch", "openvino"}
        What computes the network.
    device : torch.device
        Where.
    precision : str
        In which number format.
    """

    shape: tuple[int, ...]
    grid: Grid
    tile: tuple[int, ...]
    strip: int | None
    cost: Cost
    backend: str
    device: torch.device
    precision: str

    @property
    def tiles(self) -> list[Tile]:
        """The tiles, in C order."""
        return self.grid.tiles(self.shape, self.tile)

    @property
    def memory(self) -> int:
        """What the run is expected to need beyond the model, in bytes, within 25 %."""
        return self.cost.memory + _KERNELS

    def describe(self) -> str:
        """Return the plan in one line for the user."""
        count = self.grid.fit(self.shape, self.tile)[1]
        size = " x ".join(map(str, self.tile))
        if self.strip is None:
            cut = f"{count} tiles of {size} pixels" if count > 1 else f"one tile of {size} pixels"
        else:
            cut = f"streamed, {self.strip} rows at a time"
            cut += f" of {count} columns of {size} pixels" if count > 1 else ""
        halo = f", halo {' x '.join(map(str, self.grid.halo))}" if count > 1 else ""
        return f"{self.backend} on {self.device.type}, {cut}{halo}, {_in_words(self.memory)}"


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
    budget = (config.memory or int(available_memory(device) * _SHARE_OF_FREE)) - _KERNELS
    grid = uncut_grid(model.network)
    tile = grid.input_shape(shape)
    cost = rehearse(model.network, (1, model.channels, *tile))
    backend = _choose_backend(config, device, cost.operations)
    cost = replace(cost, memory=_real(cost.memory, backend))
    plan = Plan(shape, grid, tile, None, cost, backend, device, config.precision)
    if config.tile is not None:
        if all(size <= limit for size, limit in zip(tile, config.tile, strict=True)):
            return plan
        grid = make_grid(model, config.halo)
        return _with_tile(plan, model, grid, grid.fit(shape, config.tile)[0])
    if cost.memory <= budget and (device.type != "cpu" or cost.operations <= _OPERATIONS_AT_ONCE):
        return plan
    return _stream_plan(plan, model, config, budget) or _tile_plan(plan, model, config, budget)


def smaller_plan(plan: Plan, model: Model, config: InferenceConfig) -> Plan:
    """Return what to try after memory ran out: smaller columns or tiles, then the CPU.

    Raises
    ------
    ResourceError
        If the smallest tiles do not fit on the CPU either.

    Warns
    -----
    UnetNapariWarning
        See `make_grid`.
    """
    cut = plan.tile != plan.grid.input_shape(plan.shape)
    grid = plan.grid if cut else make_grid(model, config.halo)
    if plan.strip is not None:
        tile = shrink(grid, plan.shape, plan.tile, first=1)
        if tile is not None:
            share = math.prod(tile) / math.prod(plan.tile)
            return replace(plan, grid=grid, tile=tile, cost=plan.cost.scaled(share))
    tile = shrink(grid, plan.shape, plan.tile)
    if tile is not None:
        return _with_tile(replace(plan, strip=None), model, grid, tile)
    if plan.device.type != "cpu":
        return replace(plan, device=torch.device("cpu"), precision="fp32")
    raise ResourceError(
        "The memory of this computer does not suffice for this model, even in the smallest pieces "
        f"of {' x '.join(map(str, plan.tile))} pixels. Close other programs, or train a model "
        "with fewer features."
    )


def _stream_plan(plan: Plan, model: Model, config: InferenceConfig, budget: int) -> Plan | None:
    """Return the plan with the widest columns that fit the memory, or None if none does."""
    suits = config.backend != "openvino" and config.precision in ("auto", "fp32")
    if plan.device.type != "cpu" or not suits:
        return None
    network = fold_batch_norm(without_data(model.network))
    try:
        whole, strip = _stream_memory(network, plan.tile, budget)
    except NotStreamableError:
        return None
    plan = replace(plan, backend="torch", strip=strip, cost=replace(plan.cost, memory=whole))
    if whole <= budget:
        return plan
    grid = make_grid(model, config.halo)
    tile: tuple[int, ...] | None = plan.tile
    while tile is not None:
        share = math.prod(tile) / math.prod(plan.tile)
        if whole * share <= budget:
            memory, strip = _stream_memory(network, tile, budget)
            cost = replace(plan.cost.scaled(share), memory=memory)
            return replace(plan, grid=grid, tile=tile, strip=strip, cost=cost)
        tile = shrink(grid, plan.shape, tile, first=1)
    return None


def _stream_memory(network: Network, tile: tuple[int, ...], budget: int) -> tuple[int, int]:
    """Return the bytes of a stream and the rows that it takes at a time."""
    steps = trace(network, (1, network.in_channels, *tile))
    strip = choose_strip(steps, budget)
    return _real(rehearse_stream(steps, strip), "torch"), strip


def _tile_plan(plan: Plan, model: Model, config: InferenceConfig, budget: int) -> Plan:
    """Return the plan with the largest tiles that fit the memory and let Stop act soon."""
    grid = make_grid(model, config.halo)
    tile = plan.tile
    while True:
        cost = plan.cost.scaled(math.prod(tile) / math.prod(plan.tile))
        fits = cost.memory <= budget
        quick = plan.device.type != "cpu" or cost.operations <= _OPERATIONS_AT_ONCE
        smaller = shrink(grid, plan.shape, tile)
        if smaller is None and not fits and plan.device.type == "cpu":
            needed, allowed = _in_words(cost.memory + _KERNELS), _in_words(budget + _KERNELS)
            raise ResourceError(
                f"The model {model.name!r} needs {needed} of memory even for the smallest piece of "
                f"the image, but only {allowed} may be used. Allow more, close other programs, or "
                "train a model with fewer features."
            )
        if smaller is None or (fits and quick):
            break
        repeated = grid.fit(plan.shape, smaller)[1] * math.prod(smaller) / math.prod(plan.tile)
        if fits and repeated > _MOST_REPEATED:
            break
        tile = smaller
    return _with_tile(plan, model, grid, tile)


def _with_tile(plan: Plan, model: Model, grid: Grid, tile: tuple[int, ...]) -> Plan:
    cost = rehearse(model.network, (1, model.channels, *tile))
    cost = replace(cost, memory=_real(cost.memory, plan.backend))
    return replace(plan, grid=grid, tile=tile, cost=cost)


def _real(rehearsed: int, backend: str) -> int:
    return int(rehearsed * _WORKSPACE[backend])


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


def _in_words(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"
