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


def make_norm(spec: UNetSpec, channels: int) -> list[nn.Module]:
    """Return the norm layer as a list of one, or an empty list for ``norm="none"``."""
    layers = LAYERS[spec.ndim]
    match spec.norm:
        case "batch":
            return [layers.batch_norm(channels)]
        case "instance":
            return [layers.instance_norm(channels, affine=True)]
        case "group":
            return [nn.GroupNorm(math.gcd(channels, 8), channels)]
        case _:
            return []


def make_activation(spec: UNetSpec) -> nn.Module:
    """Return the non-linearity."""
    kind = _ACTIVATIONS[spec.activation]
    return kind() if spec.activation == "gelu" else kind(inplace=True)


def conv_norm(spec: UNetSpec, inputs: int, outputs: int, kernel: PerAxis) -> list[nn.Module]:
    """Return a convolution and its norm; where there is a norm, the bias is part of it."""
    padding = tuple(k // 2 for k in kernel) if spec.padding == "same" else (0,) * spec.ndim
    norm = make_norm(spec, outputs)
    conv = LAYERS[spec.ndim].conv(inputs, outputs, kernel, padding=padding, bias=not norm)
    return [conv, *norm]


def project(spec: UNetSpec, inputs: int, outputs: int) -> nn.Module:
    """Return a convolution of one pixel: the same linear map at every position."""
    return LAYERS[spec.ndim].conv(inputs, outputs, 1)


def make_block(spec: UNetSpec, inputs: int, outputs: int, kernel: PerAxis) -> nn.Module:
    """Return the two convolutions of one level, plain or with a residual connection."""
    first = [*conv_norm(spec, inputs, outputs, kernel), make_activation(spec)]
    second = conv_norm(spec, outputs, outputs, kernel)
    last = [make_activation(spec)]
    if spec.dropout:
        last.append(LAYERS[spec.ndim].dropout(spec.dropout))
    if not spec.residual:
        return nn.Sequential(*first, *second, *last)
    shortcut = conv_norm(spec, inputs, outputs, (1,) * spec.ndim) if inputs != outputs else []
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


def make_upsampling(spec: UNetSpec, inputs: int, outputs: int, stride: PerAxis) -> nn.Module:
    """Return the step up between two levels: `stride` times larger, `outputs` channels."""
    layers = LAYERS[spec.ndim]
    if spec.upsampling == "transposed":
        return layers.transposed(inputs, outputs, stride, stride=stride)
    # A convolution of one pixel gives the same before and after an interpolation, and before it
    # there are fewer pixels. The first convolution of the next block smooths the interpolation.
    return nn.Sequential(project(spec, inputs, outputs), make_interpolation(spec, stride))


def make_interpolation(spec: UNetSpec, stride: PerAxis) -> nn.Module:
    """Return a linear interpolation to a grid `stride` times as fine."""
    if all(s == 1 for s in stride):
        return nn.Identity()
    scale = tuple(float(s) for s in stride)
    return nn.Upsample(scale_factor=scale, mode=LAYERS[spec.ndim].interpolation)


class DecoderStage(nn.Module):
    """One level of the way up: enlarge the coarse features, add the skips, convolve.

    Parameters
    ----------
    spec : UNetSpec
        Choices that fix the layers of the network.
    level : int
        The level that this stage leads to; 0 is full resolution.
    coarse : int
        Channels coming from below.
    skip : int
        Channels of all skips together.
    width : int
        Channels that come out.
    """

    def __init__(self, spec: UNetSpec, level: int, coarse: int, skip: int, width: int) -> None:
        super().__init__()
        self.up = make_upsampling(spec, coarse, width, spec.strides[level])
        self.block = make_block(spec, skip + width, width, spec.kernels[level])

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
        return  # There is nothing to draw, and torch would import its compiler for it.
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d):
        # Kernel and stride are equal: each output sees every input channel once. No ReLU follows.
        nn.init.normal_(module.weight, std=module.in_channels**-0.5)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
