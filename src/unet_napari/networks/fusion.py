"""A head in which the encoder's features of every scale vote on the classes.

The fusion of scales is that of Long et al. 2015 (arXiv:1411.4038), carried to full resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from unet_napari.networks.base import crop_centre
from unet_napari.networks.layers import make_interpolation, project
from unet_napari.networks.spec import UNetSpec
from unet_napari.networks.unet import Head, UNet

__all__ = ["FusionUNet"]


class FusionHead(Head):
    """The sum of the decoder's logits and of those projected from each level of the encoder."""

    def __init__(self, spec: UNetSpec) -> None:
        strides = [spec.stride_to(level) for level in range(spec.levels)]
        super().__init__(spec, spec.features[:-1], strides[:-1])
        self.votes = nn.ModuleList(
            nn.Sequential(project(spec, width, spec.out_channels), make_interpolation(spec, stride))
            for width, stride in zip(spec.features, strides, strict=True)
        )

    def main(self, decoded: Tensor, encoded: Sequence[Tensor]) -> Tensor:
        """Return the sum of all votes at full resolution."""
        logits = super().main(decoded, encoded)
        for vote, features in zip(self.votes, encoded, strict=True):
            logits = logits + crop_centre(vote(features), logits)
        return logits


class FusionUNet(UNet):
    """The U-Net with a multi-scale fusion head. It takes the options of `UNet`.

    Every scale of the encoder is projected to the classes and added at full resolution, so
    that large structures and fine detail meet right before the softmax.
    """

    name: ClassVar[str] = "fusion_unet"

    def make_head(self, spec: UNetSpec) -> nn.Module:
        """Return the head in which every scale votes."""
        return FusionHead(spec)
