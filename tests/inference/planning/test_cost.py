"""The rehearsal counts what a real run would take."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from unet_napari.inference.planning.cost import rehearse


def test_memory_is_that_of_the_tensors_alive_together():
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    cost = rehearse(network, (1, 1, 10, 10))
    # input 1, first convolution 4, its ReLU 4: the caller holds the input throughout
    assert cost.memory == 4 * 100 * (1 + 4 + 4)


def test_operations_are_multiplications_and_additions():
    cost = rehearse(nn.Conv2d(3, 5, 3, padding=1), (1, 3, 10, 20))
    assert cost.operations == 2 * 3 * 5 * 9 * 200


def test_the_network_is_left_where_it_is(make_model):
    network = make_model().network
    rehearse(network, (1, 1, 64, 64))
    assert {p.device for p in network.parameters()} == {torch.device("cpu")}


@pytest.mark.parametrize("ndim", [2, 3])
def test_cost_grows_with_the_image(make_model, ndim):
    network = make_model(ndim=ndim).network
    small = rehearse(network, (1, 1, *(32,) * ndim))
    large = rehearse(network, (1, 1, *(64,) * ndim))
    assert large.operations == 2**ndim * small.operations
    assert large.memory == pytest.approx(2**ndim * small.memory, rel=0.05)


@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_batch_costs_as_much_as_its_images(make_model, ndim, norm):
    network = make_model(ndim=ndim, norm=norm).network
    one, three = (rehearse(network, (n, 1, *(32,) * ndim)) for n in (1, 3))
    assert (three.memory, three.operations) == (3 * one.memory, 3 * one.operations)


def test_loading_a_model_and_planning_do_not_import_torchs_compiler(make_model, tmp_path):
    """It would cost the first prediction of a process a second and a half."""
    path = tmp_path / "model.unet"
    make_model().save(path)
    code = (
        "import sys; from unet_napari import Model;"
        "from unet_napari.inference.config import InferenceConfig;"
        "from unet_napari.inference.planning.planner import make_plan;"
        "from unet_napari.inference.prepared import PreparedModel;"
        "config = InferenceConfig(device='cpu', backend='torch');"
        "plan = make_plan(PreparedModel.of(Model.load(sys.argv[1])), (8192, 8192), config);"
        "assert plan.strip is not None;"
        "print({'torch._dynamo', 'sympy'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    # torch 2.6 imports sympy by itself, for tensors of the device meta.
    expected = "{'sympy'}" if torch.__version__.startswith("2.6.") else "set()"
    assert ended.stdout.strip() == expected
