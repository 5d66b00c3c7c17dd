"""Train, predict and segment from Python: the engine's generators, drained.

The docks and the command line run the same code; with the same arguments and seed the
results are the same. It may import everything but `_napari` and `cli`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari._lazy import lazy

if TYPE_CHECKING:
    from unet_napari.api.prediction import attention_maps, estimate_diameter, predict, segment
    from unet_napari.api.training import train

__all__ = ["attention_maps", "estimate_diameter", "predict", "segment", "train"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "attention_maps": "prediction",
        "estimate_diameter": "prediction",
        "predict": "prediction",
        "segment": "prediction",
        "train": "training",
    },
)
