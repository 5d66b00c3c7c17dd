"""The U-Net family. It may import nothing of ours.

The names are loaded when they are first used, so that menus need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari._lazy import lazy
from unet_napari.networks.catalogue import CATALOGUE, PRESETS

if TYPE_CHECKING:
    from unet_napari.networks.attention import AttentionUNet
    from unet_napari.networks.base import Network
    from unet_napari.networks.build import build_network, network_class
    from unet_napari.networks.folding import fold_batch_norm
    from unet_napari.networks.fusion import FusionUNet
    from unet_napari.networks.halo import exact_halo
    from unet_napari.networks.nested import NestedUNet
    from unet_napari.networks.resnet import ResNetUNet
    from unet_napari.networks.unet import UNet

__all__ = [
    "CATALOGUE",
    "PRESETS",
    "AttentionUNet",
    "FusionUNet",
    "NestedUNet",
    "Network",
    "ResNetUNet",
    "UNet",
    "build_network",
    "exact_halo",
    "fold_batch_norm",
    "network_class",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "AttentionUNet": "attention",
        "FusionUNet": "fusion",
        "NestedUNet": "nested",
        "Network": "base",
        "ResNetUNet": "resnet",
        "UNet": "unet",
        "build_network": "build",
        "exact_halo": "halo",
        "fold_batch_norm": "folding",
        "network_class": "build",
    },
)
