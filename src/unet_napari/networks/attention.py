"""Attention U-Net: gates on the skips, driven by what the coarser level has seen.

Oktay et al. 2018, arXiv:1804.03999.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from unet_napari.networks.base import crop_centre
from unet_napari.networks.dimensions import LAYERS
from unet_napari.networks.layers import DecoderStage, make_interpolation, project
from unet_napari.networks.spec import PerAxis, UNetSpec
from unet_napari.networks.unet import UNet

__all__ = ["AttentionGate", "AttentionUNet"]


class AttentionGate(nn.Module):
    """Additive attention, equations 1 and 2 of the paper.

    ``alpha = sigmoid(psi(relu(theta(skip) + phi(coarse))))``, computed on the coarse grid and
    interpolated to that of the skip.
    """

    def __init__(self, spec: UNetSpec, skip: int, coarse: int, stride: PerAxis) -> None:
        super().__init__()
        inner = max(1, skip // 2)
        self.theta = LAYERS[spec.ndim].conv(skip, inner, stride, stride=stride, bias=False)
        self.phi = project(spec, coarse, inner)
        self.psi = project(spec, inner, 1)
        self.enlarge = make_interpolation(spec, stride)

    def forward(self, skip: Tensor, coarse: Tensor) -> Tensor:
        """Return the weight of every position of `skip`, shape (N, 1, *S), from 0 to 1."""
        energy = self.psi(functional.relu(self.theta(skip) + self.phi(coarse)))
        weight: Tensor = self.enlarge(torch.sigmoid(energy))
        return weight


class AttentionStage(DecoderStage):
    """A level of the way up whose skip passes through a gate."""

    def __init__(self, spec: UNetSpec, level: int, coarse: int, skip: int, width: int) -> None:
        super().__init__(spec, level, coarse, skip, width)
        self.gate = AttentionGate(spec, skip, coarse, spec.strides[level])

    def pass_on(self, coarse: Tensor, up: Tensor, skips: Sequence[Tensor]) -> list[Tensor]:
        """Return the skip, weighed."""
        cropped = [crop_centre(skip, up) for skip in skips]
        return [skip * self.gate(skip, coarse) for skip in cropped]


class AttentionUNet(UNet):
    """The U-Net with additive attention gates on its skips (Oktay et al. 2018).

    It takes the options of `UNet`. `attention_maps` shows where the gates look.
    """

    name: ClassVar[str] = "attention_unet"
    stage: ClassVar[type[DecoderStage]] = AttentionStage

    @torch.no_grad()
    def attention_maps(self, x: Tensor) -> list[Tensor]:
        """Return how much of each skip the gates let through.

        Parameters
        ----------
        x : Tensor
            Images as for `forward`, shape (N, in_channels, *S).

        Returns
        -------
        list of Tensor
            A map for each level, finest first, from 0 (shut) to 1 (open), shape (N, 1, *S). As
            in the logits, each spatial axis lacks ``2 * margin`` pixels of the image.
        """
        training = self.training
        try:
            return list(self.eval().on_any_size(x, self._gates))
        finally:
            self.train(training)

    def _gates(self, x: Tensor) -> list[Tensor]:
        gates: list[Tensor] = []

        def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module, inputs
            gates.insert(0, output)  # the coarsest gate comes first

        modules = [module for module in self.modules() if isinstance(module, AttentionGate)]
        hooks = [module.register_forward_hook(keep) for module in modules]
        try:
            logits = cast("Tensor", self.logits(x))
        finally:
            for hook in hooks:
                hook.remove()
        return [
            crop_centre(make_interpolation(self.spec, self.spec.stride_to(level))(gate), logits)
            for level, gate in enumerate(gates)
        ]
