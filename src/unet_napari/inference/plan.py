"""The plan of a prediction: where it runs and how the image is cut, decided before it starts."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from unet_napari.device import available_memory, choose_device
from unet_napari.errors import ResourceError, SettingsError, UnetNapariWarning
from unet_napari.inference.backends import has_openvino
from unet_napari.inference.cost import Cost, rehearse
from unet_napari.inference.int8 import check_int8
from unet_napari.inference.tiles import Grid, Tile
from unet_napari.networks.halo import exact_halo

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.model import Model
    from unet_napari.networks import Network

__all__ = ["Plan", "make_grid", "make_plan", "smaller_plan"]

# Of the memory that is free, the rest being for the image, the result and the viewer.
_SHARE_OF_FREE = 0.5
# Convolutions need memory of their own besides the features that a rehearsal counts.
_WORKSPACE = 1.3
# Operations of one tile, so that a CPU of two cores takes about two seconds and Stop acts soon.
_OPERATIONS_PER_TILE = 2e11
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
        Outer shape of every tile.
    cost : Cost
        Of one tile; the memory is what the run is expected to need beyond the model, in bytes.
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
    cost: Cost
    backend: str
    device: torch.device
    precision: str

    @property
    def tiles(self) -> list[Tile]:
        """The tiles, in C order."""
        return self.grid.tiles(self.shape, self.tile)

    def describe(self) -> str:
        """Return the plan in one line for the user."""
        count = self.grid.fit(self.shape, self.tile)[1]
        size = " x ".join(map(str, self.tile))
        halo = " x ".join(map(str, self.grid.halo))
        cut = f"{count} tiles of {size} pixels, halo {halo}" if count > 1 else f"one tile of {size}"
        return f"{self.backend} on {self.device.type}, {cut}, {self.cost.memory / 2**20:.0f} MiB"


def make_plan(model: Model, shape: tuple[int, ...], config: InferenceConfig) -> Plan:
    """Decide how an image is predicted.

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
    SettingsError
        If the settings do not suit the model.

    Warns
    -----
    UnetNapariWarning
        If the device is not there, and see `make_grid`.
    """
    network = model.network
    device = choose_device("cpu" if config.precision == "int8" else config.device)
    budget = config.memory or int(available_memory(device) * _SHARE_OF_FREE)
    if config.tile is not None and len(config.tile) != model.ndim:
        raise SettingsError(
            f"tile has {len(config.tile)} numbers, but the model is {model.ndim}D: "
            "give one number of pixels per axis."
        )
    grid = _grid(network, (0,) * model.ndim)
    tile = grid.input_shape(shape)
    whole = _cost(network, tile)
    if not _suits(tile, whole, config.tile, budget, device):
        grid = make_grid(model, config.halo)
        tile = _choose_tile(grid, shape, whole, config.tile, budget, device)
    return Plan(
        shape=shape,
        grid=grid,
        tile=tile,
        cost=_cost(network, tile),
        backend=_choose_backend(config, device, whole),
        device=device,
        precision=config.precision,
    )


def smaller_plan(plan: Plan, model: Model, config: InferenceConfig) -> Plan:
    """Return what to try after memory ran out: smaller tiles, then the CPU.

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
    tile = _shrink(plan.shape, plan.tile, grid)
    if tile is not None:
        cost = plan.cost.scaled(math.prod(tile) / math.prod(plan.tile))
        return replace(plan, grid=grid, tile=tile, cost=cost)
    if plan.device.type != "cpu":
        return replace(plan, device=torch.device("cpu"), precision="fp32")
    raise ResourceError(
        "The memory of this computer does not suffice for this model, even in the smallest pieces "
        f"of {' x '.join(map(str, plan.tile))} pixels. Close other programs, or train a model "
        "with fewer features."
    )


def make_grid(model: Model, halo: str | int) -> Grid:
    """Return where images may be cut for a model.

    Parameters
    ----------
    model : Model
        The model.
    halo : {"exact", "measured"} or int
        See `InferenceConfig`. Where the model carries no measured halo, it is the exact one.

    Warns
    -----
    UnetNapariWarning
        If the network's norm looks at a whole tile, so that no halo is exact; it gets two
        strides then.
    """
    network = model.network
    exact = _exact_halo(network)
    if exact is None:
        warnings.warn(
            f"The norm of the model {model.name!r} looks at a whole tile, and the image does not "
            "fit in one, so there may be seams where tiles meet. Models with batch norm have none.",
            UnetNapariWarning,
            stacklevel=3,
        )
        exact = tuple(2 * s + m for s, m in zip(network.stride, network.margin, strict=True))
    if isinstance(halo, int):
        return _grid(network, (halo,) * network.ndim)
    wanted = exact if halo == "exact" or model.halo is None else model.halo
    return _grid(network, tuple(max(0, w - m) for w, m in zip(wanted, network.margin, strict=True)))


def _grid(network: Network, halo: tuple[int, ...]) -> Grid:
    least = zip(network.smallest, network.margin, network.stride, strict=True)
    surplus = tuple((smallest - 2 * margin) % stride for smallest, margin, stride in least)
    return Grid(network.stride, halo, network.margin, surplus)


_halos: dict[str, tuple[int, ...] | None] = {}


def _exact_halo(network: Network) -> tuple[int, ...] | None:
    """Return the exact halo, found once per architecture: a live preview asks every second."""
    key = f"{network.name} {network.options}"
    if key not in _halos:
        _halos[key] = exact_halo(network)
    return _halos[key]


def _cost(network: Network, tile: tuple[int, ...]) -> Cost:
    cost = rehearse(network, (1, network.in_channels, *tile))
    return replace(cost, memory=int(cost.memory * _WORKSPACE))


def _shrink(shape: tuple[int, ...], tile: tuple[int, ...], grid: Grid) -> tuple[int, ...] | None:
    """Return the next smaller tile, cut along its longest axis in units of the smallest tile.

    Axes that are short compared with the halo stay whole: cutting them saves little. None if
    the tile cannot get smaller.
    """
    least = grid.smallest_tile()
    order = sorted(range(len(tile)), key=lambda axis: tile[axis] / least[axis], reverse=True)
    for axis in order:
        if tile[axis] <= least[axis]:
            continue
        # Ask for less and less until the cut, which is rounded to the grid, gives in.
        for wanted in range(int(tile[axis] * 0.8), least[axis] - 1, -grid.stride[axis]):
            asked = (*tile[:axis], max(wanted, least[axis]), *tile[axis + 1 :])
            smaller = grid.fit(shape, asked)[0]
            if smaller[axis] < tile[axis]:
                return smaller
    return None


def _suits(
    tile: tuple[int, ...],
    cost: Cost,
    largest: tuple[int, ...] | None,
    budget: int,
    device: torch.device,
) -> bool:
    """Tell whether a tile respects the user's size, the memory and, on a CPU, a quick Stop."""
    if largest is not None:
        return all(size <= limit for size, limit in zip(tile, largest, strict=True))
    quick = device.type != "cpu" or cost.operations <= _OPERATIONS_PER_TILE
    return quick and cost.memory <= budget


def _choose_tile(
    grid: Grid,
    shape: tuple[int, ...],
    whole: Cost,
    largest: tuple[int, ...] | None,
    budget: int,
    device: torch.device,
) -> tuple[int, ...]:
    """Return the largest tile that suits; see `_suits`."""
    if largest is not None:
        return grid.fit(shape, largest)[0]
    tile = grid.input_shape(shape)
    size = math.prod(tile)
    while True:
        cost = whole.scaled(math.prod(tile) / size)
        smaller = _shrink(shape, tile, grid)
        if smaller is None or _suits(tile, cost, None, budget, device):
            return tile
        repeated = grid.fit(shape, smaller)[1] * math.prod(smaller) / size
        if cost.memory <= budget and repeated > _MOST_REPEATED:
            return tile
        tile = smaller


def _choose_backend(config: InferenceConfig, device: torch.device, whole: Cost) -> str:
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
    if config.backend == "auto" and suits and whole.operations >= _WORTH_COMPILING:
        return "openvino"
    return "torch"
