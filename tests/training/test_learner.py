"""One step of gradient descent: its precision on each device."""

import pytest
import torch

from unet_napari.networks import UNet
from unet_napari.tasks import CellsTask
from unet_napari.training import TrainConfig, learner
from unet_napari.training.data.augment import Patch
from unet_napari.training.learner import Learner, Randomness

CPU = torch.device("cpu")
MPS = torch.device("mps")


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


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_network_and_batches_lie_in_memory_as_the_device_needs_it(monkeypatch, layout):
    monkeypatch.setattr(learner, "memory_format", lambda *_: layout)
    seen = []

    class Spying(UNet):
        def forward(self, x):
            seen.append(x.is_contiguous(memory_format=layout))
            return super().forward(x)

    network = Spying(2, 3, (2, 4))
    made = Learner(network, CellsTask(), TrainConfig(), 1e-3, CPU, Randomness(0, CPU))
    image = torch.rand(2, 2, 16, 16).to(memory_format=torch.channels_last)
    labels = torch.ones(2, 16, 16, dtype=torch.int32)
    made.step(Patch(image, labels, labels > 0), 0.5)
    assert seen == [True]
    assert network.encoder.blocks[1][0].weight.is_contiguous(memory_format=layout)


@pytest.fixture
def apple(monkeypatch):
    """Let a generator on the CPU stand for that of an Apple GPU, and return it."""
    generator = torch.Generator().manual_seed(5)
    monkeypatch.setattr(torch.mps, "manual_seed", generator.manual_seed)
    monkeypatch.setattr(torch.mps, "get_rng_state", generator.get_state)
    monkeypatch.setattr(torch.mps, "set_rng_state", generator.set_state)
    return generator


def test_dropout_on_the_device_is_repeatable_and_the_callers_numbers_stay(apple):
    def draw(randomness):
        with randomness():
            return torch.rand(2, generator=apple).tolist() + torch.rand(2).tolist()

    before = torch.get_rng_state(), apple.get_state()
    runs = []
    for _ in range(2):
        randomness = Randomness(3, MPS)
        runs.append([draw(randomness), draw(randomness)])
        torch.rand(1, generator=apple)  # what the caller draws meanwhile
        apple.set_state(before[1])
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[0][1]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(apple.get_state(), before[1])


def test_a_training_on_the_cpu_leaves_the_generators_of_all_devices_alone(apple, monkeypatch):
    touched = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", touched.append)
    monkeypatch.setattr(torch.mps, "manual_seed", touched.append)
    with Randomness(3, CPU)():
        torch.rand(1)
    assert touched == []


def test_the_callers_numbers_stay_when_a_step_fails():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="invalid shape"), Randomness(3, CPU)():
        torch.rand(3).reshape(-3)  # fails after numbers were drawn
    assert torch.equal(torch.get_rng_state(), before)


def test_a_cpu_trains_3d_networks_in_float32(monkeypatch):
    monkeypatch.setattr(learner, "computes_bfloat16", lambda _: True)
    network = UNet(1, 3, (2, 4), ndim=3)
    made = Learner(network, CellsTask(), TrainConfig(ndim=3), 1e-3, CPU, Randomness(0, CPU))
    assert not made.loss.mixed
