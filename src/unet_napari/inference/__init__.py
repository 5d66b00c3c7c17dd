"""From an image and a model to maps and labels, for images of any size.

The names are imported on first use, because the napari side uses `InferenceConfig` and
`Progress` and must not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.predict import predict_steps
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.segment import segment_steps
    from unet_napari.inference.views import result_shape

__all__ = ["InferenceConfig", "Progress", "predict_steps", "result_shape", "segment_steps"]

_HOMES = {
    "InferenceConfig": "config",
    "Progress": "progress",
    "predict_steps": "predict",
    "result_shape": "views",
    "segment_steps": "segment",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  a module attribute has any type
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
