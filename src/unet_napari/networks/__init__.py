"""The U-Net family. Names are loaded when first used, so that menus need no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from unet_napari.networks.catalogue import CATALOGUE, PRESETS

if TYPE_CHECKING:
    from unet_napari.networks.base import Network
    from unet_napari.networks.build import NETWORKS, build_network
    from unet_napari.networks.unet import UNet

__all__ = ["CATALOGUE", "NETWORKS", "PRESETS", "Network", "UNet", "build_network"]

_HOME = {
    "NETWORKS": "build",
    "Network": "base",
    "UNet": "unet",
    "build_network": "build",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  a module attribute has any type
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
