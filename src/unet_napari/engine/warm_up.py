"""What the first segmentation would have to load, loaded while nobody waits."""

from __future__ import annotations

import numpy as np

from unet_napari.device import choose_device
from unet_napari.images import Normalisation, as_image, nuclei
from unet_napari.inference import InferenceConfig, result_shape, segment_steps
from unet_napari.inference.backends import has_openvino
from unet_napari.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask

__all__ = ["warm_up"]


def warm_up() -> None:
    """Segment a small image with a small network.

    The libraries that compute and decode are loaded at their first use, which takes a second.
    """
    task = CellsTask()
    options = {"in_channels": 1, "out_channels": task.out_channels, "features": (4, 8)}
    model = Model(build_network("unet", options), task, Normalisation())
    image = as_image(nuclei((64, 64), count=4, seed=0)[0])
    labels = np.zeros(result_shape(image), np.uint32)
    for _ in segment_steps(image, model, labels, _config()):
        pass


def _config() -> InferenceConfig:
    """Choose the backend that large images get: this one is too small to be worth compiling."""
    compiles = has_openvino() and choose_device("auto").type == "cpu"
    return InferenceConfig(backend="openvino" if compiles else "auto")
