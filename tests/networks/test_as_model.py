"""What holds for every member of the family once it is part of a model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unet_napari import Model, predict
from unet_napari.images import Image, Normalisation
from unet_napari.tasks import SemanticTask
from unet_napari.training import TrainConfig
from unet_napari.training.data.augment import Patch
from unet_napari.training.learner import Learner, Randomness

CPU = torch.device("cpu")


@pytest.fixture
def model(network, shake_norms):
    """Return a model with statistics as after a training."""
    task = SemanticTask(classes=(1, 2, 3))
    return Model(shake_norms(network).eval(), task, Normalisation())


def image_of(*shape):
    pixels = np.random.default_rng(0).integers(0, 4000, (2, *shape)).astype(np.uint16)
    return Image(pixels, "C" + "ZYX"[-len(shape) :])


def test_through_a_file_the_output_stays_the_same(model, tmp_path):
    again = Model.load(model.save(tmp_path / "a.unet"))
    assert again.info == model.info
    x = torch.randn(1, 2, *[2 * stride + 1 for stride in model.network.stride])
    with torch.no_grad():
        assert torch.equal(again.network(x), model.network(x))


def test_tiles_leave_no_trace(model):
    if model.network.normalises_by_tile():
        pytest.skip("this norm takes its statistics from the tile at hand")
    shape, tile = {
        "resnet_unet": ((32, 960), (32, 768)),
        "2": ((70, 90), (48, 56)),
        "3": ((28, 36, 44), (24, 28, 32)),
    }[model.network.name if model.network.name == "resnet_unet" else str(model.ndim)]
    image = image_of(*shape)
    whole = predict(image, model, backend="torch", device="cpu")
    said = []
    tiled = predict(
        image, model, backend="torch", device="cpu", tile=tile,
        on_progress=lambda step: said.append(step.done),
    )  # fmt: skip
    assert len(set(said)) > 1
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=0)


def test_bf16_trains_every_member(network):
    """The computation of a CUDA device, on the CPU: bf16 in the network, float32 in the loss."""
    if network.ndim == 3:
        pytest.skip("on a CPU, torch 2.15's bf16 gradients of 3D networks hold stray NaNs")
    task = SemanticTask(classes=(1, 2, 3))
    learner = Learner(network, task, TrainConfig(ndim=network.ndim), 1e-3, CPU, Randomness(0, CPU))
    learner.gradients = replace(learner.loss, mixed=True).gradients
    computed = []
    network.register_forward_hook(lambda _m, _i, output: computed.append(output))
    shape = [2 * stride for stride in network.stride]
    labels = torch.randint(1, 4, (2, *shape))
    batch = (torch.randn(2, 2, *shape), labels, torch.ones(2, *shape, dtype=torch.bool))
    before = [parameter.clone() for parameter in network.parameters()]
    losses = [learner.step(Patch(*batch), 0.1) for _ in range(2)]
    assert np.isfinite(losses).all()
    output = computed[0][0] if isinstance(computed[0], list) else computed[0]
    assert output.dtype == torch.bfloat16
    for parameter in network.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.isfinite().all()
    assert any(not torch.equal(p, o) for p, o in zip(network.parameters(), before, strict=True))
