"""The measured halo keeps its promise on other images, and saves tiles."""

import numpy as np
import pytest
import torch

from unet_napari.images import Normalisation, nuclei
from unet_napari.inference.prepared import PreparedModel
from unet_napari.model.model import Model
from unet_napari.networks import build_network, exact_halo
from unet_napari.tasks import CellsTask
from unet_napari.training.data.sample import Sample
from unet_napari.training.measured_halo import TOLERANCE, reach, rounded_halo
from unet_napari.training.needed_context import measure_halo

TASK = CellsTask()


def network_that_looks_near(ndim, **options):
    """Return a network whose coarse levels matter little, as in most trained ones."""
    torch.manual_seed(0)
    features = (4, 6, 8)
    network = build_network(
        "unet", {"ndim": ndim, "in_channels": 1, "out_channels": 3, "features": features} | options
    )
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.ConvTranspose2d | torch.nn.ConvTranspose3d):
                module.weight *= 0.02
    return network.eval()


def sample_of(shape, seed):
    pixels, labels = nuclei(shape, count=np.prod(shape) // 20 ** len(shape) + 2, seed=seed)
    image = (pixels / pixels.max()).astype(np.float32)[np.newaxis]
    return Sample(image, labels, np.ones(shape, bool), 0, (0,) * len(shape))


SHAPES = {2: (160, 160), 3: (48, 48, 48)}


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_promise_holds_on_other_images_and_saves_tiles(ndim):
    network = network_that_looks_near(ndim)
    samples = [sample_of(SHAPES[ndim], seed) for seed in range(2)]
    halo = measure_halo(network, TASK, samples, seed=0, seconds=600)
    exact = exact_halo(network)
    assert all(0 < measured < bound for measured, bound in zip(halo, exact, strict=True))
    shape = tuple(2 * bound for bound in exact)
    for seed in (10, 11, 12):
        image = torch.from_numpy(sample_of(shape, seed).image)[None]
        with torch.inference_mode():
            whole = TASK.activate(network(image))
            for axis, (size, measured) in enumerate(zip(shape, halo, strict=True)):
                tile = image.narrow(axis + 2, 0, size // 2)
                core = TASK.activate(network(tile)).narrow(axis + 2, 0, size // 2 - measured)
                expected = whole.narrow(axis + 2, 0, size // 2 - measured)
                # Twice the tolerance: these images were not measured on.
                assert (core - expected).abs().max() < 2 * TOLERANCE
    model = Model(network, TASK, Normalisation(), halo=halo)
    tile = tuple(3 * bound for bound in exact)
    counts = [
        PreparedModel.of(model).grid(kind).fit((2000,) * ndim, tile)[1]
        for kind in ("measured", "exact")
    ]
    assert counts[0] < 0.8 * counts[1]


def test_nothing_is_felt_where_no_kernel_reaches():
    network = build_network(
        "unet", {"in_channels": 1, "out_channels": 3, "features": [4, 4], "kernels": 1}
    ).eval()
    patch, other = torch.rand(2, 1, 1, 32, 24).split(1)
    patch, other = patch[0], other[0]
    # Kernels of one pixel: nothing is felt beyond the pooling window, which ends at the cut.
    assert reach(network, TASK.activate, patch, other, 0) == 0
    stirred = build_network(
        "unet", {"in_channels": 1, "out_channels": 3, "features": [4, 4], "kernels": [3, 1]}
    ).eval()
    with torch.no_grad():
        for parameter in stirred.parameters():
            parameter.mul_(3)
    found = reach(stirred, torch.sigmoid, 9 * patch, 9 * other, 0)
    assert 0 < found <= exact_halo(stirred)[0]


def test_a_reach_to_the_end_of_the_patch_has_no_known_bound():
    class Mean(torch.nn.Module):
        stride = (1, 1)

        def forward(self, x):
            return x + 100 * x.mean()

    patch, other = torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8) + 5
    assert reach(Mean(), lambda logits: logits, patch, other, 1) is None


@pytest.mark.parametrize("options", [{"padding": "valid"}, {"norm": "group"}], ids=str)
def test_some_networks_have_none(options):
    network = network_that_looks_near(2, **options)
    assert measure_halo(network, TASK, [sample_of((64, 64), 0)], 0, 600) is None


def test_without_time_there_is_none():
    network = network_that_looks_near(2)
    assert measure_halo(network, TASK, [sample_of((64, 64), 0)], 0, -1) is None


def test_images_too_small_to_tell_get_the_exact_halo():
    network = network_that_looks_near(2)
    assert measure_halo(network, TASK, [sample_of((6, 6), 0)], 0, 600) == exact_halo(network)


def test_a_halo_lies_on_the_grid_with_a_stride_to_spare():
    assert rounded_halo((0, 9, 40), (4, 8, 8), (44, 44, 44)) == (4, 24, 44)


def test_the_network_is_left_as_it_is():
    network = network_that_looks_near(2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    measure_halo(network, TASK, [sample_of((64, 64), 0)], 0, 600)
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())


def test_without_memory_nothing_is_measured(monkeypatch):
    network = network_that_looks_near(2)

    def full(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("unet_napari.training.needed_context.reach", full)
    samples = [sample_of(SHAPES[2], 0)]
    assert measure_halo(network, TASK, samples, seed=0, seconds=600) is None
