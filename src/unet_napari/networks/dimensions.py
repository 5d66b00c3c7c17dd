"""What a layer is called in two and in three dimensions; the only place that knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

__all__ = ["LAYERS", "Layers"]


@dataclass(frozen=True)
class Layers:
    """The layer types for one number of spatial axes."""

    conv: Callable[..., nn.Module]
    transposed: Callable[..., nn.Module]
    pool: Callable[..., nn.Module]
    batch_norm: Callable[..., nn.Module]
    instance_norm: Callable[..., nn.Module]
    dropout: Callable[..., nn.Module]
    interpolation: str


class _InstanceNorm2d(nn.InstanceNorm2d):
    """An instance norm that takes an empty batch, too, on which that of torch fails."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if len(x) else x.clone()


class _InstanceNorm3d(nn.InstanceNorm3d):
    """An instance norm that takes an empty batch, too, on which that of torch fails."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if len(x) else x.clone()


LAYERS: dict[int, Layers] = {
    2: Layers(
        nn.Conv2d,
        nn.ConvTranspose2d,
        nn.MaxPool2d,
        nn.BatchNorm2d,
        _InstanceNorm2d,
        nn.Dropout2d,
        "bilinear",
    ),
    3: Layers(
        nn.Conv3d,
        nn.ConvTranspose3d,
        nn.MaxPool3d,
        nn.BatchNorm3d,
        _InstanceNorm3d,
        nn.Dropout3d,
        "trilinear",
    ),
}
