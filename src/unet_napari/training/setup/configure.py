"""Choosing patch, network and batch from the data: nnU-Net's reasoning, for minutes.

The rules follow Isensee et al. 2021 (nnU-Net, doi:10.1038/s41592-020-01008-z): the patch has
the shape of a cube in micrometres and is as large as the budget allows; axes are down-sampled
when the others have caught up with their pixel size, until the patch is small at the bottom.
Where nnU-Net plans for days on one large GPU, the sizes here are for minutes on any device.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unet_napari.errors import ResourceError
from unet_napari.networks import build_network, network_class
from unet_napari.networks.base import Network
from unet_napari.training.config import TrainConfig
from unet_napari.training.schedule import OPTIMISERS

__all__ = ["Data", "Setup", "choose_setup", "step_memory"]

# Pixels of a patch, patches of a batch, and features at full resolution.
_SIZES = {
    ("cpu", 2): (128**2, 4, 16),
    ("cpu", 3): (2**15, 2, 16),
    ("gpu", 2): (320**2, 8, 32),
    ("gpu", 3): (2**19, 4, 32),
}
_MOST_FEATURES = 320  # largest number of features of one level; nnU-Net's limit in 3D
_BOTTOM_SIDE = 8  # pixels of the patch that must be left at the bottom, per axis
_REFINING_SHARE = 0.25  # share of the learning rate with which a trained network is refined


@dataclass(frozen=True)
class Data:
    """The facts about the images and the paint that the choice depends on.

    Attributes
    ----------
    channels, out_channels
        Channels of the images, and maps that the task wants from the network.
    shape
        Typical (median) size of the samples, pixels per axis.
    spacing
        Relative pixel size per axis, 1 for the smallest.
    diameter
        The diameter of a typical painted cell, in the smallest pixels: that of a disc, or ball, of
        the same size. None for classes.
    """

    channels: int
    out_channels: int
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    diameter: float | None


@dataclass(frozen=True)
class Setup:
    """What was chosen; `chosen` says it and why, one line each."""

    patch: tuple[int, ...]
    batch: int
    network_options: dict[str, Any]
    learning_rate: float
    chosen: tuple[str, ...]


def choose_setup(
    config: TrainConfig,
    data: Data,
    device: str,
    memory: int,
    start_from: Network | None = None,
    *,
    refine: bool = True,
) -> Setup:
    """Choose everything that `config` leaves open.

    Parameters
    ----------
    config
        The settings; whatever they give is taken.
    data
        Facts about the images and the paint.
    device
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    memory
        Bytes that a training step may use, on each of the devices.
    start_from
        A trained network whose architecture and weights are kept.
    refine
        Whether that network knows what is painted so well that a lower learning rate suits it.

    Raises
    ------
    SettingsError
        If the network is unknown, or does not exist for so many axes.
    ResourceError
        If not even a small patch fits into `memory`.
    """
    pixels, usual, features = _SIZES["cpu" if device == "cpu" else "gpu", config.ndim]
    wanted = config.patch or _box(data, pixels)
    levels = _levels(wanted, data)
    if start_from is None:
        options = _network_options(config, data, levels, features)
        network = build_network(config.network, options)
        name = f"{network.name}, {network.parameter_count:,} weights"
        lines = [f"Network: {name}; {_why_levels(config, levels, data)}."]
    else:
        network = start_from
        options = dict(network.options, out_channels=data.out_channels)
        lines = [f"Network: {network.name}, the one that training starts from."]
    patch = config.patch or _fit(wanted, network)
    batch = config.batch or max(usual, config.devices)
    patch, batch = _shrink(patch, batch, network, memory, config)
    size = " x ".join(map(str, patch))
    lines.append(f"Patch: {size} pixels; {_why_patch(config, data)}.")
    why = "as asked" if config.batch else "many small steps learn fastest"
    if batch < usual and config.batch is None:
        why = "more would not fit into the memory"
    lines.append(f"Batch: {batch} patches; {why}.")
    share = 1.0 if start_from is None or not refine else _REFINING_SHARE
    rate = config.learning_rate or share * OPTIMISERS.find(config.optimiser).learning_rate
    lines.append(f"Learning rate: {rate:g}, {config.optimiser}, {config.schedule}.")
    return Setup(patch, batch, options, rate, tuple(lines))


def step_memory(network: Network, patch: Sequence[int], batch: int) -> int:
    """Estimate the bytes of one training step from the sizes of all that layers put out."""
    total = 0

    def count(_module: nn.Module, _inputs: Any, output: Any) -> None:  # noqa: ANN401
        nonlocal total
        total += output.numel() if isinstance(output, Tensor) else 0

    with torch.device("meta"):
        shadow = build_network(network.name, network.options)
        leaves = [module for module in shadow.modules() if not list(module.children())]
        handles = [leaf.register_forward_hook(count) for leaf in leaves]
        shadow(torch.empty(batch, network.in_channels, *patch))
        for handle in handles:
            handle.remove()
    # Nearly all are kept for the backward pass, and some gradients beside them: 1.0 to 1.1 times
    # 4 bytes were measured. Each weight has a gradient and two moments.
    return 5 * total + 16 * network.parameter_count


def _box(data: Data, pixels: int) -> tuple[int, ...]:
    """Return the shape of a cube in micrometres that has about so many pixels and fits samples."""
    spacing = np.asarray(data.spacing)
    if data.diameter is not None:  # three cells across, so that most are seen whole
        pixels = max(pixels, min(4 * pixels, int(np.prod(3 * data.diameter / spacing))))
    limits = np.asarray(data.shape, float)
    box = np.zeros(len(spacing))
    free = np.ones(len(spacing), bool)
    # An axis that the samples cut short leaves its share to the others.
    while free.any():
        side = (pixels / np.prod(box[~free]) * np.prod(spacing[free])) ** (1 / free.sum())
        box[free] = side / spacing[free]
        short = free & (box > limits)
        if not short.any():
            break
        box[short] = limits[short]
        free &= ~short
    return tuple(max(_BOTTOM_SIDE, round(float(size))) for size in box)


@dataclass(frozen=True)
class _Levels:
    """Down-sampling and kernel of each level of a U-Net."""

    strides: list[tuple[int, ...]]
    kernels: list[tuple[int, ...]]


def _levels(patch: Sequence[int], data: Data) -> _Levels:
    """Down-sample the axes with the finest pixels, as often as the patch and the cells need."""
    deepest = 3 if data.diameter is None or data.diameter < 40 else 4
    spacing, size = np.asarray(data.spacing, float), np.asarray(patch)
    strides: list[tuple[int, ...]] = []
    kernels = [_kernel(spacing)]
    while len(strides) < deepest:
        able = size // 2 >= _BOTTOM_SIDE / 2
        able[-2:] &= size[-2:] // 2 >= min(_BOTTOM_SIDE, *patch[-2:])
        if not able.any():
            break
        finest = spacing[able].min()
        stride = np.where(able & (spacing < 2 * finest), 2, 1)
        spacing, size = spacing * stride, size // stride
        strides.append(tuple(stride.tolist()))
        kernels.append(_kernel(spacing))
    return _Levels(strides, kernels)


def _kernel(spacing: np.ndarray) -> tuple[int, ...]:
    """Return 1 along axes whose pixels are still twice as large as the finest, else 3."""
    return tuple(np.where(spacing >= 2 * spacing.min(), 1, 3).tolist())


def _network_options(
    config: TrainConfig, data: Data, levels: _Levels, features: int
) -> dict[str, Any]:
    known = inspect.signature(network_class(config.network)).parameters
    chosen: dict[str, Any] = {
        "in_channels": data.channels,
        "out_channels": data.out_channels,
        "ndim": config.ndim,
    }
    if "strides" in known and not _levels_given(config):
        depth = len(levels.strides) + 1
        chosen["features"] = [min(_MOST_FEATURES, features * 2**level) for level in range(depth)]
        chosen["strides"] = [list(stride) for stride in levels.strides]
        chosen["kernels"] = [list(kernel) for kernel in levels.kernels]
    chosen = {name: value for name, value in chosen.items() if name in known}
    return {**chosen, **config.network_options}


def _fit(patch: Sequence[int], network: Network) -> tuple[int, ...]:
    """Round up to the sizes that pass the layers unpadded, with room for a valid network's rim."""
    sizes = []
    for size, stride, least, margin in zip(
        patch, network.stride, network.smallest, network.margin, strict=True
    ):
        steps = max(0, math.ceil((size + 2 * margin - least) / stride))
        sizes.append(max(8, least + steps * stride))
    return tuple(sizes)


def _shrink(
    patch: tuple[int, ...], batch: int, network: Network, memory: int, config: TrainConfig
) -> tuple[tuple[int, ...], int]:
    """Halve the batch, then the patch, until the share of one device fits into the memory."""
    devices = config.devices
    while (needed := step_memory(network, patch, math.ceil(batch / devices))) > memory:
        if batch > devices and config.batch is None:
            batch = max((batch + 1) // 2, devices)
            continue
        smaller = _fit([size // 2 for size in patch], network)
        if config.patch is not None or math.prod(smaller) >= math.prod(patch):
            raise ResourceError(
                f"A training step needs about {needed / 2**30:.1f} GiB of memory, but only "
                f"{memory / 2**30:.1f} GiB may be used: close other programs, "
                "or choose a smaller network, patch or batch."
            )
        patch = smaller
    return patch, batch


def _levels_given(config: TrainConfig) -> bool:
    return not {"features", "strides"}.isdisjoint(config.network_options)


def _why_levels(config: TrainConfig, levels: _Levels, data: Data) -> str:
    if _levels_given(config):
        return "its levels as asked"
    if "strides" not in inspect.signature(network_class(config.network)).parameters:
        return "its levels are those of its encoder"
    depth = len(levels.strides)
    if len(set(data.spacing)) > 1:
        steps = ", ".join("x".join(map(str, stride)) for stride in levels.strides)
        ratio = max(data.spacing)
        return f"{depth} times down-sampled by {steps}, as pixels differ in size {ratio:.2g} times"
    reason = "" if data.diameter is None else f", cells being {data.diameter:.0f} pixels across"
    return f"{depth} times down-sampled{reason}"


def _why_patch(config: TrainConfig, data: Data) -> str:
    if config.patch is not None:
        return "as asked"
    if len(set(data.spacing)) > 1:
        return "about as long in micrometres along every axis"
    return "enough surroundings, and quick steps"
