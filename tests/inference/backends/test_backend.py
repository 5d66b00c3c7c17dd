"""Backends: the same numbers from each, and the right one chosen."""

import threading

import numpy as np
import pytest
import torch

from unet_napari.errors import ResourceError, SettingsError
from unet_napari.inference import InferenceConfig
from unet_napari.inference.backends import openvino_backend
from unet_napari.inference.backends.backend import make_backend
from unet_napari.inference.backends.openvino_backend import OpenVinoBackend
from unet_napari.inference.backends.table import BACKEND_ENTRIES, BackendEntry
from unet_napari.inference.backends.torch_backend import TorchBackend
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.prepared import PreparedModel

CPU = torch.device("cpu")
needs_openvino = pytest.mark.skipif(
    not BACKEND_ENTRIES["openvino"].installed, reason="needs openvino"
)

NETWORKS = [
    {},
    {"ndim": 3},
    {"padding": "valid"},
    {"upsampling": "interpolate", "residual": True},
    {"norm": "group"},
    {"name": "attention_unet"},
    {"name": "nested_unet"},
    {"name": "nested_unet", "ndim": 3},
]


@needs_openvino
@pytest.mark.parametrize("options", NETWORKS, ids=str)
def test_openvino_says_what_torch_says(make_model, options):
    model = make_model(**options)
    network = model.network
    backend, reference = OpenVinoBackend(network), TorchBackend(network, CPU, "fp32")
    for extra in (2, 1):  # two tile shapes, one after the other
        shape = tuple(n + extra * s for n, s in zip(network.smallest, network.stride, strict=True))
        batch = np.random.default_rng(extra).random((1, 1, *shape), np.float32)
        expected = reference.logits(batch)
        assert expected.std() > 0.01
        torch.testing.assert_close(backend.logits(batch), expected, atol=1e-4, rtol=0)


@needs_openvino
@pytest.mark.parametrize("error", [ImportError, AttributeError, TypeError])
@pytest.mark.parametrize("options", [{}, {"padding": "valid"}], ids=str)
def test_without_the_private_frontend_the_public_function_converts(
    make_model, monkeypatch, error, options
):
    def changed(*_):
        raise error("this version of OpenVINO has no such thing")

    network = make_model(**options).network
    shape = tuple(n + 2 * s for n, s in zip(network.smallest, network.stride, strict=True))
    batch = np.random.default_rng(0).random((1, 1, *shape), np.float32)
    expected = OpenVinoBackend(network).logits(batch)
    monkeypatch.setattr(openvino_backend, "_convert_by_frontend", changed)
    found = OpenVinoBackend(network).logits(batch)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_torch_says_what_the_plain_network_says(make_model):
    network = make_model().network
    batch = np.random.default_rng(0).random((2, 1, 32, 48), np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(batch))
    logits = TorchBackend(network, CPU, "auto").logits(batch)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_large_tiles_are_as_exact_as_small_ones(make_model, norm):
    network = make_model(norm=norm).network
    batch = np.random.default_rng(0).random((1, 1, 512, 512), np.float32)
    logits = TorchBackend(network, CPU, "fp32").logits(batch)
    with torch.inference_mode():
        exact = network.double()(torch.from_numpy(batch).double()).float()
    torch.testing.assert_close(logits, exact, atol=3e-5, rtol=1e-4)


def chosen(model, shape, **config):
    return make_plan(
        PreparedModel.of(model), shape, InferenceConfig(device="cpu", **config)
    ).backend


@needs_openvino
def test_openvino_is_chosen_where_it_pays(make_model):
    model = make_model(features=(32, 64, 128))
    assert chosen(model, (32, 32)) == "torch"
    assert chosen(model, (512, 512)) == "openvino"
    assert chosen(model, (2048, 2048)) == "torch"  # streamed, without halos
    assert chosen(model, (512, 512), backend="torch") == "torch"
    assert chosen(model, (512, 512), precision="bf16") == "torch"


def test_without_openvino_torch_is_chosen(make_model, monkeypatch):
    monkeypatch.setattr(BackendEntry, "installed", property(lambda entry: not entry.packages))
    assert chosen(make_model(features=(32, 64, 128)), (1024, 1024)) == "torch"


def test_missing_openvino_asked_for_is_said(make_model, monkeypatch):
    monkeypatch.setattr(BackendEntry, "installed", property(lambda entry: not entry.packages))
    with pytest.raises(ResourceError, match="pip install openvino"):
        make_backend(make_model().network, "openvino", CPU, "auto")


def test_openvino_in_a_short_format_is_refused(make_model):
    with pytest.raises(SettingsError, match="fp32"):
        chosen(make_model(), (32, 32), backend="openvino", precision="fp16")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_in_fp32_says_what_the_cpu_says(make_model):
    network = make_model().network
    batch = np.random.default_rng(0).random((1, 1, 64, 64), np.float32)
    expected = TorchBackend(network, CPU, "fp32").logits(batch)
    exact = TorchBackend(network, torch.device("cuda"), "fp32").logits(batch).cpu()
    torch.testing.assert_close(exact, expected, atol=1e-4, rtol=1e-4)
    fast = TorchBackend(network, torch.device("cuda"), "auto").logits(batch).cpu()
    torch.testing.assert_close(fast, expected, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(("side", "threads"), [(64, 1), (256, 3)])
def test_a_small_part_is_computed_in_one_thread_and_the_others_are_there_again(
    make_model, side, threads
):
    network = make_model().network
    seen = []
    network.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        backend = make_backend(network, "torch", CPU, "auto")
        batch = np.zeros((1, 1, side, side), np.float32)
        backend.logits(batch)
        assert seen == [threads]
        assert torch.get_num_threads() == 3
        workers = [threading.Thread(target=backend.logits, args=(batch,)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
