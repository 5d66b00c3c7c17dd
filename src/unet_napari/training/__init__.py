"""Training: from painted images to a model, as a generator of events.

It may import `model`, `networks`, `tasks`, `evaluation`, `labels`, `images`, `system` and
`defaults`.
``config`` and ``events`` are free of torch, and so is this module until one of the other
names is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari._lazy import lazy
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.augment_config import AugmentConfig
from unet_napari.training.events import Finished, Resting, Started, Step, TrainEvent, Validated

if TYPE_CHECKING:
    from unet_napari.training.data.pairs import Pair
    from unet_napari.training.data.patch_sheet import augmented_examples
    from unet_napari.training.trainer import Trainer

__all__ = [
    "AugmentConfig",
    "Finished",
    "Pair",
    "Resting",
    "Started",
    "Step",
    "TrainConfig",
    "TrainEvent",
    "Trainer",
    "Validated",
    "augmented_examples",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Pair": "data.pairs",
        "Trainer": "trainer",
        "augmented_examples": "data.patch_sheet",
    },
)
