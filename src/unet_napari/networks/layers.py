"""The layers that the networks are put together from, for any number of spatial axes.

A norm layer stands right after the convolution whose output it normalises, in the order of
registration too: `unet_napari.networks.folding` relies on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unet_napari.networks.base import crop_centre
from unet_napari.networks.dimensions import LAYERS
from unet_napari.networks.spec import PerAxis, UNetSpec

__all__ = [
    "DecoderStage",
    "ResidualBlock",
    "conv_norm",
    "initialise",
    "make_block",
    "make_upsampling",
    "project",
]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def make_norm(plan: UNetSpec, channels: int) -> list[nn.Module]:
    """Return the norm layer as a list of one, or an empty list for ``norm="none"``."""
    layers = LAYERS[plan.ndim]
    match plan.norm:
        case "batch":
            return [layers.batch_norm(channels)]
        case "instance":
            return [layers.instance_norm(channels, affine=True)]
        case "group":
            return [nn.GroupNorm(math.gcd(channels, 8), channels)]
        case _:
            return []


def make_activation(plan: UNetSpec) -> nn.Module:
    """Return the non-linearity."""
    kind = _ACTIVATIONS[plan.activation]
    return kind() if plan.activation == "gelu" else kind(inplace=True)


def conv_norm(plan: UNetSpec, inputs: int, outputs: int, kernel: PerAxis) -> list[nn.Module]:
    """Return a convolution and its norm; the bias is the norm's where there is one."""
    padding = tuple(k // 2 for k in kernel) if plan.padding == "same" else (0,) * plan.ndim
    norm = make_norm(plan, outputs)
    conv = LAYERS[plan.ndim].conv(inputs, outputs, kernel, padding=padding, bias=not norm)
    return [conv, *norm]


def project(plan: UNetSpec, inputs: int, outputs: int) -> nn.Module:
    """Return a convolution of one pixel: the same linear map at every position."""
    return LAYERS[plan.ndim].conv(inputs, outputs, 1)


def make_block(plan: UNetSpec, inputs: int, outputs: int, kernel: PerAxis) -> nn.Module:
    """Return the two convolutions of one level, plain or with a residual connection."""
    first = [*conv_norm(plan, inputs, outputs, kernel), make_activation(plan)]
    second = conv_norm(plan, outputs, outputs, kernel)
    last = [make_activation(plan)]
    if plan.dropout:
        last.append(LAYERS[plan.ndim].dropout(plan.dropout))
    if not plan.residual:
        return nn.Sequential(*first, *second, *last)
    shortcut = conv_norm(plan, inputs, outputs, (1,) * plan.ndim) if inputs != outputs else []
    return ResidualBlock(nn.Sequential(*first, *second), shortcut, last)


class ResidualBlock(nn.Module):
    """``last(body(x) + shortcut(x))``, the shortcut cropped where the body loses its border.

    He et al. 2016, arXiv:1512.03385; in a U-Net: Zhang et al. 2018, arXiv:1711.10684.
    """

    def __init__(
        self, body: nn.Module, shortcut: Sequence[nn.Module], last: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.body = body
        self.shortcut = nn.Sequential(*shortcut)
        self.last = nn.Sequential(*last)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features."""
        body: Tensor = self.body(x)
        output: Tensor = self.last(body + crop_centre(self.shortcut(x), body))
        return output


def make_upsampling(plan: UNetSpec, inputs: int, outputs: int, stride: PerAxis) -> nn.Module:
    """Return the step up between two levels: `stride` times larger, `outputs` channels."""
    layers = LAYERS[plan.ndim]
    if plan.upsampling == "transposed":
        return layers.transposed(inputs, outputs, stride, stride=stride)
    # A one-pixel convolution and an interpolation may change places, and before it there are
    # fewer pixels. The next block's first convolution smooths what was interpolated.
    return nn.Sequential(project(plan, inputs, outputs), make_interpolation(plan, stride))


def make_interpolation(plan: UNetSpec, stride: PerAxis) -> nn.Module:
    """Return a linear interpolation to a grid `stride` times as fine."""
    if all(s == 1 for s in stride):
        return nn.Identity()
    scale = tuple(float(s) for s in stride)
    return nn.Upsample(scale_factor=scale, mode=LAYERS[plan.ndim].interpolation)


class DecoderStage(nn.Module):
    """One level of the way up: enlarge the coarse features, add the skips, convolve.

    Parameters
    ----------
    plan : Plan
        The network's plan.
    level : int
        The level that this stage leads to; 0 is full resolution.
    coarse : int
        Channels coming from below.
    skip : int
        Channels of all skips together.
    width : int
        Channels that come out.
    """

    def __init__(self, plan: UNetSpec, level: int, coarse: int, skip: int, width: int) -> None:
        super().__init__()
        self.up = make_upsampling(plan, coarse, width, plan.strides[level])
        self.block = make_block(plan, skip + width, width, plan.kernels[level])

    def forward(self, coarse: Tensor, *skips: Tensor) -> Tensor:
        """Return this level's features from those below and those of the encoder."""
        up: Tensor = self.up(coarse)
        output: Tensor = self.block(torch.cat([*self.pass_on(coarse, up, skips), up], dim=1))
        return output

    def pass_on(self, coarse: Tensor, up: Tensor, skips: Sequence[Tensor]) -> list[Tensor]:
        """Return the skips as the block sees them; `coarse` is for stages that weigh them."""
        del coarse
        return [crop_centre(skip, up) for skip in skips]


def initialise(module: nn.Module) -> None:
    """Draw the weights of a convolution so that variances stay as they are (He et al. 2015)."""
    if any(parameter.is_meta for parameter in module.parameters(recurse=False)):
        return  # nothing to draw, and torch would import its compiler for it
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d):
        # Kernel and stride agree: each output sees every input channel once. No ReLU follows.
        nn.init.normal_(module.weight, std=module.in_channels**-0.5)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
