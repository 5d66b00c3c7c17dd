"""Scores of what is held out, within the memory that there is."""

import numpy as np
import pytest
import torch

from unet_napari.errors import UnetNapariWarning
from unet_napari.networks import build_network
from unet_napari.tasks import make_task
from unet_napari.training.data.sample import Sample
from unet_napari.training.judge import Judge
from unet_napari.training.setup.configure import step_memory
from unet_napari.training.tiling import largest_tile, predict_sample, tile_with_halo

CPU = torch.device("cpu")


@pytest.fixture(params=[2, 3])
def network(request):
    torch.manual_seed(0)
    options = {"ndim": request.param, "features": [4, 8, 8], "out_channels": 3}
    return build_network("unet", options).eval()


@pytest.fixture
def sample(network):
    shape = {2: (150, 131), 3: (24, 40, 150)}[network.ndim]
    rng = np.random.default_rng(0)
    labels = np.zeros(shape, np.int32)
    for number in range(6):
        labels[..., 4 : 4 + 12, number * 20 : number * 20 + 10] = number + 1
    image = rng.normal(size=(1, *shape)).astype(np.float32)
    return Sample(image, labels, np.ones(shape, bool), group=0, origin=(0,) * len(shape))


@pytest.fixture
def task(network):
    return make_task({"name": "cells", "anisotropy": [1.0] * network.ndim})


@pytest.mark.parametrize("most", [1, 1000, 12_000, 10**9])
def test_the_cores_cover_each_pixel_once(network, sample, most):
    seen = np.zeros(sample.labels.shape, int)
    for core, outer in tile_with_halo(
        sample.labels.shape, [8] * network.ndim, network.stride, most
    ):
        seen[core.to_slices()] += 1
        assert outer == core.grow(8).clip(seen.shape)
        assert all(start % 4 == 0 for start in outer.start)
        if most >= 12_000:
            assert outer.size <= most
    assert (seen == 1).all()


def test_parts_say_what_the_whole_says(network, sample, task):
    halo = [24] * network.ndim  # all that this network sees
    shape = sample.labels.shape
    whole = predict_sample(network, task, sample, CPU, halo=halo, most=sample.labels.size)
    seen = []
    network.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0][0, 0].numel()))
    parts = predict_sample(network, task, sample, CPU, halo=halo, most=sample.labels.size * 3 // 4)
    assert len(seen) > 1
    assert max(seen) <= sample.labels.size * 3 // 4
    assert whole.shape == (3, *shape)
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_a_network_without_padding_is_cut_as_well():
    options = {"ndim": 2, "features": [4, 8], "out_channels": 3, "padding": "valid"}
    network = build_network("unet", options).eval()
    task = make_task({"name": "cells", "anisotropy": [1, 1]})
    image = np.random.default_rng(0).normal(size=(1, 90, 70)).astype(np.float32)
    labels = np.zeros((90, 70), np.int32)
    sample = Sample(image, labels, labels == 0, group=0, origin=(0, 0))
    whole, parts = (
        predict_sample(network, task, sample, CPU, halo=(8, 8), most=most) for most in (10**9, 3000)
    )
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_a_tile_takes_no_more_memory_than_a_step(network):
    patch = (16,) * network.ndim
    for memory in (2**24, 2**28):
        pixels = largest_tile(network, patch, memory)
        assert pixels > patch[0] ** network.ndim
        step = step_memory(network, patch, 1) - 16 * network.parameter_count
        assert pixels * step / 16**network.ndim / 2 + 16 * network.parameter_count <= memory


def judge_of(sample, task, most=10**9):
    return Judge([sample], task, CPU, halo=(8,) * sample.labels.ndim, most=most)


def test_each_sample_is_predicted_once(network, sample, task):
    seen = []
    network.register_forward_hook(lambda *_: seen.append(1))
    judge_of(sample, task).score(network, None)
    assert len(seen) == 1


def test_why_there_is_no_score_is_said(network, sample, task):
    few = Sample(sample.image, np.minimum(sample.labels, 3), sample.annotated, 0, sample.origin)
    judge = judge_of(few, task)
    assert judge.score(network, None) is None
    assert judge.message == "no score: 3 of 5 cells"


class Scarce(torch.nn.Module):
    """A network for which memory suffices only up to a number of pixels."""

    def __init__(self, network, most):
        super().__init__()
        self.network, self.most = network, most
        self.stride, self.margin = network.stride, network.margin
        self.sizes = []

    def forward(self, image):
        self.sizes.append(image[0, 0].numel())
        if self.sizes[-1] > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.network(image)


def test_with_too_little_memory_smaller_parts_are_predicted(network, sample, task):
    enough, scarce = judge_of(sample, task), judge_of(sample, task)
    limited = Scarce(network, sample.labels.size // 2)
    assert scarce.score(limited, None) == enough.score(network, None)
    first = len(limited.sizes)
    scarce.score(limited, None)  # it has learnt
    assert max(limited.sizes[first:]) <= sample.labels.size // 2


def test_with_no_memory_at_all_training_goes_on_without_a_score(network, sample, task):
    judge, limited = judge_of(sample, task), Scarce(network, 0)
    with pytest.warns(UnetNapariWarning, match="without a score"):
        assert judge.score(limited, None) is None
    assert judge.message == "no score: too little memory"
    tried = len(limited.sizes)
    assert judge.score(limited, None) is None  # and does not try again
    assert len(limited.sizes) == tried


def test_another_error_is_not_taken_for_out_of_memory(network, sample, task):
    def broken(*_):
        raise RuntimeError("shape mismatch")

    network.register_forward_hook(broken)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        judge_of(sample, task).score(network, None)
