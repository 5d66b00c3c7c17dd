"""Training: from painted images to a model, as a generator of events.

``config`` and ``events`` are free of torch, and so is this module until one of the other
names is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from unet_napari.training.config import AugmentConfig, TrainConfig
from unet_napari.training.events import Finished, Started, Step, TrainEvent, Validated

if TYPE_CHECKING:
    from unet_napari.training.pairs import Pair
    from unet_napari.training.picture import augmented_examples
    from unet_napari.training.trainer import Trainer

__all__ = [
    "AugmentConfig",
    "Finished",
    "Pair",
    "Started",
    "Step",
    "TrainConfig",
    "TrainEvent",
    "Trainer",
    "Validated",
    "augmented_examples",
]

_HOME = {
    "Pair": "unet_napari.training.pairs",
    "Trainer": "unet_napari.training.trainer",
    "augmented_examples": "unet_napari.training.picture",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  a module attribute has any type
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
