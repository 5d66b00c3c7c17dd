"""A device is taken if it computes what the CPU does, which is found out on a small network."""

import pytest
import torch

from unet_napari.errors import UnetNapariWarning
from unet_napari.inference import InferenceConfig
from unet_napari.inference.backends import device_choice
from unet_napari.inference.backends.device_choice import choose_device, find_fault
from unet_napari.inference.backends.torch_backend import TorchBackend
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.prepared import PreparedModel
from unet_napari.networks import UNet

CPU = torch.device("cpu")
MPS = torch.device("mps")
CUDA = torch.device("cuda")


def on_the_cpu(network, image, labels, _device, precision):
    """Compute as a device that has no fault: what it says differs by rounding."""
    results = device_choice._results(network, image, labels, CPU, precision)
    return [result + 1e-5 * result.abs().max() for result in results]


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_device_that_computes_what_the_cpu_does_has_no_fault(ndim):
    assert find_fault(MPS, ndim, compute=on_the_cpu) is None
    assert find_fault(CUDA, ndim, "fp16", compute=on_the_cpu) is None


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        (0, lambda prediction: prediction.transpose(-1, -2)),
        (0, lambda prediction: prediction * torch.nan),
        (1, lambda logits: logits.flip(0, -1)),
        (-6, torch.zeros_like),  # the gradient of a convolution's weight
        (3, lambda gradient: gradient * 1e7),  # of a batch norm's, as on macOS 14
    ],
)
def test_wrong_outputs_and_gradients_are_a_fault(ndim, number, wrong):
    def compute(*arguments):
        results = on_the_cpu(*arguments)
        results[number] = wrong(results[number])
        return results

    assert "something else than the CPU" in find_fault(MPS, ndim, compute=compute)


def test_what_a_device_cannot_do_is_a_fault_with_its_reason():
    def compute(*_):
        raise NotImplementedError("ConvTranspose3D is not supported on MPS\nat line 5")

    assert find_fault(MPS, 3, compute=compute) == (
        "it cannot compute a small 3D network (ConvTranspose3D is not supported on MPS)"
    )


def test_nothing_is_drawn_from_the_callers_random_numbers():
    before = torch.get_rng_state()
    find_fault(MPS, 2, compute=on_the_cpu)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def apple(monkeypatch):
    """Return faults by number of axes, to be filled in, of an Apple GPU that is there."""
    faults = {}

    def find(device, ndim, precision):
        assert device == MPS
        fault = faults.get(ndim)
        if isinstance(fault, Exception):
            raise fault
        return fault

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(device_choice, "find_fault", find)
    monkeypatch.setattr(device_choice, "_found_faults", {})
    return faults


@pytest.mark.parametrize("wanted", ["auto", "mps"])
def test_a_device_that_fails_in_3d_is_used_in_2d(apple, wanted):
    apple[3] = "it cannot compute a small 3D network (not implemented)"
    assert choose_device(wanted, 2) == MPS
    for _ in range(2):  # each job is told, not only the first
        with pytest.warns(UnetNapariWarning, match=r"Apple GPU .* 3D network \(not impl.*The CPU"):
            assert choose_device(wanted, 3) == CPU


def test_a_device_is_judged_once(apple):
    assert choose_device("auto", 2) == MPS
    apple[2] = "found later"
    assert choose_device("auto", 2) == MPS


def test_a_device_without_memory_is_judged_again(apple):
    apple[2] = RuntimeError("MPS backend out of memory")
    with pytest.warns(UnetNapariWarning, match="no memory left"):
        assert choose_device("auto", 2) == CPU
    del apple[2]
    assert choose_device("auto", 2) == MPS


def test_a_computer_without_a_gpu_runs_no_test(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(device_choice, "find_fault", lambda *_: pytest.fail("tested"))
    assert choose_device("auto", 2) == choose_device("cpu", 2) == CPU
    with pytest.warns(UnetNapariWarning, match="no cuda device"):
        assert choose_device("cuda", 2) == CPU


def test_a_gpu_that_is_there_is_not_tested_where_the_cpu_is_wanted(apple):
    apple[2] = AssertionError("tested")
    assert choose_device("cpu", 2) == CPU


@pytest.mark.parametrize(("ndim", "device"), [(2, MPS), (3, CPU)])
def test_the_plan_of_a_prediction_goes_by_the_axes_of_the_model(apple, make_model, ndim, device):
    apple[3] = "wrong"
    model = make_model(ndim=ndim)
    if device == CPU:
        with pytest.warns(UnetNapariWarning, match="wrong"):
            plan = make_plan(PreparedModel.of(model), (16,) * ndim, InferenceConfig())
    else:
        plan = make_plan(PreparedModel.of(model), (16,) * ndim, InferenceConfig())
    assert plan.device == device


@pytest.mark.parametrize(("fault", "said"), [(None, "fp16"), ("NaN", "fp32")])
def test_a_card_that_computes_fp16_wrongly_predicts_in_fp32(monkeypatch, fault, said):
    monkeypatch.setattr("unet_napari.inference.backends.torch_backend.fault_of", lambda *_: fault)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *_, **__: self)  # no card is here
    assert TorchBackend(UNet(1, 1, (2, 4)), CUDA, "auto").description == f"torch, cuda, {said}"
