"""Names and options from an untrusted file, and the table of networks."""

import subprocess
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from unet_napari import networks
from unet_napari.errors import SettingsError
from unet_napari.networks import CATALOGUE, build_network, network_class


def test_catalogue_and_networks_agree():
    for name, entry in CATALOGUE.items():
        assert entry.name == name == network_class(name).name
        assert "\n" not in entry.description
        for ndim in entry.ndims:
            with torch.device("meta"):
                assert network_class(name)(ndim=ndim).ndim == ndim


def test_every_exported_name_is_there():
    for name in networks.__all__:
        assert getattr(networks, name) is not None
    assert dir(networks) == sorted(networks.__all__)
    with pytest.raises(AttributeError, match="Transformer"):
        _ = networks.Transformer


def test_menus_need_no_torch():
    code = (
        "import sys, unet_napari.networks.catalogue, unet_napari.networks.spec;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("transformer", {}, "There is no network 'transformer'"),
        (["unet"], {}, "There is no network"),
        ("unet", [["features", 8]], "must be names with values"),
        ("unet", {"code": "import os"}, "has no option 'code'"),
        ("unet", {"self": 1}, "has no option 'self'"),
        ("unet", {"in_channels": 10**9}, "in_channels must be .* from 1 to 1024"),
        ("unet", {"out_channels": 0}, "out_channels"),
        ("unet", {"in_channels": True}, "in_channels"),
        ("unet", {"in_channels": 1.0}, "in_channels"),
        ("unet", {"features": "huge"}, "features must be one of small, original, large"),
        ("unet", {"features": 10**6}, "features"),
        ("unet", {"features": [8]}, "number of levels"),
        ("unet", {"features": [8] * 10}, "number of levels"),
        ("unet", {"features": [8, 5000]}, "each entry of features"),
        ("unet", {"features": [8, "8"]}, "each entry of features"),
        ("unet", {"features": None}, "features"),
        ("unet", {"features": {"a": 1}}, "features"),
        ("unet", {"ndim": 1}, "ndim must be one of 2, 3"),
        ("unet", {"ndim": "2"}, "ndim"),
        ("unet", {"ndim": [2]}, "ndim"),
        ("unet", {"strides": [2, 2]}, "strides has 2 entries"),
        ("unet", {"strides": [[2, 2, 2]] * 4}, "one number per axis"),
        ("unet", {"strides": 0}, "each of strides"),
        ("unet", {"strides": 8}, "4096 times smaller"),
        ("unet", {"kernels": 4}, "each of kernels must be one of 1, 3, 5, 7"),
        ("unet", {"kernels": [3]}, "kernels has 1 entries"),
        ("unet", {"padding": "mirror"}, "padding must be one of same, valid"),
        ("unet", {"norm": "layer"}, "norm must be one of"),
        ("unet", {"norm": ""}, "norm must be one of"),
        ("unet", {"activation": "exec"}, "activation"),
        ("unet", {"upsampling": ["x" * 1000]}, r"upsampling must be .{,120}$"),
        ("unet", {"residual": 1}, "residual must be true or false"),
        ("unet", {"deep_supervision": "yes"}, "deep_supervision"),
        ("unet", {"checkpointing": None}, "checkpointing"),
        ("unet", {"dropout": 1.0}, "dropout must be a number of at least 0 and below 1"),
        ("unet", {"dropout": float("nan")}, "dropout"),
        ("resnet_unet", {"depth": 20}, "depth must be one of 18"),
        ("resnet_unet", {"features": [8, 8]}, "features must have 5 entries"),
    ],
)
def test_bad_options_are_named(name, options, message):
    with pytest.raises(SettingsError, match=message):
        build_network(name, options)


class Allocations(TorchDispatchMode):
    """Count the bytes of every tensor that is really made."""

    total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        if isinstance(output, torch.Tensor) and output.device.type != "meta":
            self.total += output.untyped_storage().nbytes()
        return output


@pytest.mark.parametrize("name", ["unet", "attention_unet", "nested_unet", "fusion_unet"])
def test_an_absurd_size_is_refused_before_it_is_allocated(name):
    options = {"ndim": 3, "features": [4096] * 9, "kernels": 7, "in_channels": 1024}
    with (
        Allocations() as allocations,
        pytest.raises(SettingsError, match="weights; at most 500,000,000"),
    ):
        build_network(name, options)
    assert allocations.total < 1_000_000
    with Allocations() as allocations:
        build_network(name, {"features": [4, 8]})
    assert allocations.total > 0  # the counter does count


def test_large_presets_are_not_refused():
    with torch.device("meta"):
        largest = network_class("unet")(features="large", ndim=3)
    assert largest.parameter_count < networks.build.MAX_PARAMETERS
