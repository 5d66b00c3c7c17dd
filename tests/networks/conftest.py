"""The members of the family, small enough that a test of all of them takes seconds."""

import pytest
import torch

from unet_napari.networks import build_network

TINY = {"in_channels": 2, "out_channels": 3, "features": [4, 6, 8]}

VARIANTS = {
    "unet-2d": ("unet", TINY),
    "unet-3d": ("unet", TINY | {"ndim": 3}),
    "unet-anisotropic": (
        "unet",
        TINY | {"ndim": 3, "strides": [[1, 2, 2], 2], "kernels": [[1, 3, 3], 3, 3]},
    ),
    "unet-interpolate": ("unet", TINY | {"upsampling": "interpolate"}),
    "unet-interpolate-3d": ("unet", TINY | {"upsampling": "interpolate", "ndim": 3}),
    "unet-residual": ("unet", TINY | {"residual": True, "activation": "silu"}),
    "unet-residual-3d": ("unet", TINY | {"residual": True, "ndim": 3, "activation": "elu"}),
    "unet-supervised": ("unet", TINY | {"deep_supervision": True}),
    "unet-supervised-3d": ("unet", TINY | {"deep_supervision": True, "ndim": 3}),
    "unet-no-norm": ("unet", TINY | {"norm": "none", "activation": "leaky_relu"}),
    "unet-instance": ("unet", TINY | {"norm": "instance", "activation": "gelu"}),
    "unet-group-3d": ("unet", TINY | {"norm": "group", "ndim": 3}),
    "unet-coarser": ("unet", TINY | {"reduction": [2, 3]}),
    "unet-supervised-coarser-3d": (
        "unet",
        TINY | {"ndim": 3, "deep_supervision": True, "reduction": [1, 2, 2]},
    ),
    "attention-coarser": ("attention_unet", TINY | {"reduction": 2}),
    "attention-2d": ("attention_unet", TINY),
    "attention-3d": ("attention_unet", TINY | {"ndim": 3, "strides": [[1, 2, 2], 2]}),
    "nested-2d": ("nested_unet", TINY),
    "nested-3d": ("nested_unet", TINY | {"ndim": 3}),
    "fusion-2d": ("fusion_unet", TINY),
    "fusion-3d": ("fusion_unet", TINY | {"ndim": 3, "upsampling": "interpolate"}),
    "resnet-18": (
        "resnet_unet",
        {"in_channels": 2, "out_channels": 3, "depth": 18, "features": [4, 4, 4, 8, 8]},
    ),
}


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def variant(request):
    """Return the name and the options of a member of the family."""
    return request.param


@pytest.fixture
def network(variant):
    """Return a freshly initialised member of the family."""
    torch.manual_seed(0)
    return build_network(*variant)


@pytest.fixture
def shake_norms():
    """Return a function that gives every batch norm statistics as after a training."""

    def shake(network):
        generator = torch.Generator().manual_seed(1)
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(std=0.2, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                torch.nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
                torch.nn.init.uniform_(module.bias, -0.2, 0.2, generator=generator)
        return network

    return shake
