"""What the first job would have to load, loaded while nobody waits."""

from __future__ import annotations

from typing import Literal

import numpy as np

from unet_napari.errors import without_warnings
from unet_napari.images import Image, Normalisation, as_image, nuclei
from unet_napari.inference import InferenceConfig, result_shape, segment_steps
from unet_napari.inference.backends.device_choice import choose_device
from unet_napari.inference.backends.table import BACKEND_ENTRIES
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask
from unet_napari.training import Pair, TrainConfig, Trainer

__all__ = ["warm_up_worker"]


def warm_up_worker(*, trains: bool) -> None:
    """Segment a small image with a small network, and find out whether the GPU can be used.

    The libraries that compute and decode are loaded at their first use, which takes a second.

    Parameters
    ----------
    trains
        Whether the engine is going to train: then a step is made, too. Torch's optimisers load
        its compiler, which takes 1 to 4 s and 170 MiB.
    """
    device = _device()
    pixels, cells = nuclei((64, 64), count=4, seed=0)
    image = as_image(pixels)
    with without_warnings():
        if trains:
            _learn(Pair(image, cells), device)
        _segment(image, device)


def _learn(pair: Pair, device: Literal["auto", "cpu"]) -> None:
    options = {"features": (4, 8)}
    config = TrainConfig(
        task="cells", ndim=2, steps=1, validation=0, network_options=options, device=device
    )
    for _ in Trainer([pair], config).run():
        pass


def _segment(image: Image, device: Literal["auto", "cpu"]) -> None:
    task = CellsTask()
    options = {"in_channels": 1, "out_channels": task.out_channels, "features": (4, 8)}
    model = Model(build_network("unet", options), task, Normalisation())
    labels = np.zeros(result_shape(image), np.uint32)
    for _ in segment_steps(image, model, labels, _config(device)):
        pass


def _device() -> Literal["auto", "cpu"]:
    """Judge the GPU for both kinds of networks; each job that it is not used for will say so."""
    with without_warnings():
        chosen = [choose_device("auto", ndim) for ndim in (2, 3)]
    return "cpu" if chosen[0].type == "cpu" else "auto"


def _config(device: Literal["auto", "cpu"]) -> InferenceConfig:
    """Choose the backend that large images get: this one is too small to be worth compiling."""
    if device != "cpu":
        return InferenceConfig(device=device)
    compiling = (e.name for e in BACKEND_ENTRIES.values() if e.operations and e.installed)
    return InferenceConfig(device=device, backend=next(compiling, "auto"))
