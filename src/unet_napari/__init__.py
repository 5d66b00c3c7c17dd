"""Paint a few labels, train a U-Net, segment stacks of any size.

The names below are loaded when they are first used, so that ``import unet_napari`` is
instant and loads neither torch nor napari.

Examples
--------
>>> from unet_napari import Model, segment, train        # doctest: +SKIP
>>> model = train(images, labels, task="cells", ndim=2)  # doctest: +SKIP
>>> segment(image, model)                                # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari._lazy import lazy
from unet_napari._version import __version__

if TYPE_CHECKING:
    from unet_napari.api import attention_maps, estimate_diameter, predict, segment, train
    from unet_napari.images import read_image
    from unet_napari.measurements import measure
    from unet_napari.model.model import Model
    from unet_napari.second_round import doubtful_objects, fit_thresholds

__all__ = [
    "Model",
    "__version__",
    "attention_maps",
    "doubtful_objects",
    "estimate_diameter",
    "fit_thresholds",
    "measure",
    "predict",
    "read_image",
    "segment",
    "train",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Model": "model.model",
        "attention_maps": "api",
        "doubtful_objects": "second_round",
        "estimate_diameter": "api",
        "fit_thresholds": "second_round",
        "measure": "measurements",
        "predict": "api",
        "read_image": "images",
        "segment": "api",
        "train": "api",
    },
)
