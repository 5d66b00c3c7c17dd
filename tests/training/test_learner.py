"""One step of gradient descent: its precision on each device."""

import pytest
import torch

from unet_napari.networks import UNet
from unet_napari.tasks import CellsTask
from unet_napari.training import TrainConfig
from unet_napari.training.learner import Learner, Randomness

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("device", "capability", "wanted", "mixed"),
    [
        ("cuda", (8, 0), True, True),
        ("cuda", (7, 5), True, False),  # no bf16 in hardware
        ("cuda", (9, 0), False, False),
        ("cpu", (9, 0), True, False),
    ],
)
def test_only_cuda_devices_that_compute_bf16_are_told_to(
    monkeypatch, device, capability, wanted, mixed
):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda *arguments: asked.append(arguments))
    config = TrainConfig(mixed_precision=wanted)
    learner = Learner(UNet(1, 2, (2, 4)), CellsTask(), config, 1e-3, CPU, Randomness(0, CPU))
    learner._device = torch.device(device)
    learner._precision()
    assert asked == ([("cuda", torch.bfloat16)] if mixed else [])
