"""One step of gradient descent: its precision on each device."""

import pytest
import torch

from unet_napari.networks import UNet
from unet_napari.tasks import CellsTask
from unet_napari.training import TrainConfig, learner
from unet_napari.training.augment import Patch
from unet_napari.training.learner import Learner, Randomness

CPU = torch.device("cpu")


@pytest.mark.parametrize(("able", "wanted"), [(True, True), (True, False), (False, True)])
def test_devices_that_compute_bf16_are_told_to_unless_the_user_objects(monkeypatch, able, wanted):
    monkeypatch.setattr(learner, "computes_bfloat16", lambda _: able)
    kinds = set()

    class Spying(UNet):
        def forward(self, x):
            logits = super().forward(x)
            kinds.add(logits.dtype)
            return logits

    network = Spying(1, 3, (2, 4))
    config = TrainConfig(mixed_precision=wanted)
    made = Learner(network, CellsTask(), config, 1e-3, CPU, Randomness(0, CPU))
    labels = torch.zeros(1, 16, 16, dtype=torch.int32)
    labels[:, 4:12, 4:12] = 1
    patch = Patch(torch.rand(1, 1, 16, 16), labels, torch.ones(1, 16, 16, dtype=torch.bool))
    assert 0 < made.step(patch, 0.5) < 10
    assert kinds == {torch.bfloat16 if able and wanted else torch.float32}
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_a_cpu_trains_3d_networks_in_float32(monkeypatch):
    monkeypatch.setattr(learner, "computes_bfloat16", lambda _: True)
    network = UNet(1, 3, (2, 4), ndim=3)
    made = Learner(network, CellsTask(), TrainConfig(ndim=3), 1e-3, CPU, Randomness(0, CPU))
    with made._precision():
        assert not torch.is_autocast_enabled("cpu")
