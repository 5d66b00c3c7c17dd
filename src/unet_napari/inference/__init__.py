"""From an image and a model to maps and labels, for images of any size.

It may import `model`, `networks`, `tasks`, `labels`, `evaluation`, `images`, `system` and
`defaults`.
The names are imported on first use, because the napari side uses `InferenceConfig` and `Progress`
and must not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari._lazy import lazy

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.diameter import diameter_steps
    from unet_napari.inference.predict import predict_steps
    from unet_napari.inference.progress import PlanSummary, Progress
    from unet_napari.inference.segment import segment_steps
    from unet_napari.inference.views import result_axes, result_shape

__all__ = [
    "InferenceConfig",
    "PlanSummary",
    "Progress",
    "diameter_steps",
    "predict_steps",
    "result_axes",
    "result_shape",
    "segment_steps",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "InferenceConfig": "config",
        "PlanSummary": "summary",
        "Progress": "progress",
        "diameter_steps": "diameter",
        "predict_steps": "predict",
        "result_axes": "views",
        "result_shape": "views",
        "segment_steps": "segment",
    },
)
