"""U-Net++: between encoder and decoder, every skip is refined by nodes of its own.

Zhou et al. 2018, arXiv:1807.10165.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, cast

from torch import Tensor, nn

from unet_napari.networks.checkpointing import run
from unet_napari.networks.layers import DecoderStage
from unet_napari.networks.spec import UNetSpec
from unet_napari.networks.unet import Head, UNet

__all__ = ["NestedUNet"]


class NestedDecoder(nn.Module):
    """The nodes X(i, j) of the paper's figure 1: level i, column j.

    X(i, j) sees X(i, 0) to X(i, j - 1) and, enlarged, X(i + 1, j - 1); X(i, 0) is the encoder's.
    """

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        self.checkpointing = spec.checkpointing
        self.columns = nn.ModuleList(
            nn.ModuleList(
                DecoderStage(spec, level, coarse, column * width, width)
                for level, (width, coarse) in enumerate(pairwise(spec.features))
                if level + column < spec.levels
            )
            for column in range(1, spec.levels)
        )

    def forward(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        """Return the full-resolution nodes X(0, j), the last and best one first."""
        nodes = [[features] for features in encoded]
        for column in self.columns:
            for level, stage in enumerate(cast("nn.ModuleList", column)):
                # Rows are filled from the top, so the row below still ends at the column before.
                node = run(
                    stage, nodes[level + 1][-1], *nodes[level], checkpointing=self.checkpointing
                )
                nodes[level].append(node)
        return nodes[0][:0:-1]


class NestedUNet(UNet):
    """U-Net++ (Zhou et al. 2018): nested skips and, by default, deep supervision.

    It takes the options of `UNet`. In training with deep supervision it returns one map of logits
    per column, that of the last column first; otherwise only that one.
    """

    name: ClassVar[str] = "nested_unet"
    supervised: ClassVar[bool] = True

    def make_decoder(self, spec: UNetSpec) -> nn.Module:
        """Return the nested nodes."""
        return NestedDecoder(spec)

    def make_head(self, spec: UNetSpec) -> nn.Module:
        """Return one projection per column, all at full resolution."""
        columns = spec.levels - 1
        return Head(spec, [spec.features[0]] * columns, [(1,) * spec.ndim] * columns)
