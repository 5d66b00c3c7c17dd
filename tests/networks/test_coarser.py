"""A network that sees the image at a coarser scale, and says as much of it as any other."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from unet_napari.errors import SettingsError
from unet_napari.networks import build_network, exact_halo

OPTIONS = {"in_channels": 1, "out_channels": 2, "features": [4, 6]}


def pair(reduction, **options):
    """Return a network and one with the same weights that sees the image coarser."""
    network = build_network("unet", OPTIONS | options).eval()
    coarser = build_network("unet", OPTIONS | options | {"reduction": reduction}).eval()
    coarser.load_state_dict(network.state_dict())
    return network, coarser


@pytest.mark.parametrize(("reduction", "shape"), [([2, 3], (8, 24)), (2, (16, 12))])
def test_the_layers_see_the_averages_of_blocks(reduction, shape):
    network, coarser = pair(reduction)
    image = torch.rand(1, 1, *shape)
    factors = coarser.reduction
    with torch.inference_mode():
        expected = network(functional.avg_pool2d(image, factors))
        said = coarser(image)
    assert said.shape == (1, 2, *shape)
    expected = functional.interpolate(
        expected, scale_factor=[float(n) for n in factors], mode="bilinear"
    )
    torch.testing.assert_close(said, expected)


def test_stride_and_halo_are_those_of_the_image():
    network, coarser = pair([2, 4])
    assert network.stride == (2, 2)
    assert coarser.stride == (4, 8)
    assert coarser.smallest == (4, 8)
    exact, halo = exact_halo(network), exact_halo(coarser)
    # One coarse pixel more on the way back, for the interpolation, on the grid of the stride.
    assert all(
        e * n <= h <= e * n + s for e, n, h, s in zip(exact, (2, 4), halo, (4, 8), strict=True)
    )


def test_the_options_make_the_same_network_again():
    _, coarser = pair([2, 3])
    again = build_network("unet", coarser.options)
    assert again.reduction == (2, 3)
    assert again.options == coarser.options
    assert again.stride == coarser.stride


def test_coarsening_twice_multiplies():
    network = build_network("unet", OPTIONS)
    network.coarsen([2, 1])
    network.coarsen([2, 3])
    assert network.reduction == (4, 3)
    assert network.stride == (8, 6)


@pytest.mark.parametrize("reduction", [0, [2], [2, 2, 2], 1.5, "2", [True, 2], 17, None])
def test_what_is_no_reduction_is_refused(reduction):
    with pytest.raises(SettingsError, match=r"reduction must be|up to 16 times"):
        build_network("unet", OPTIONS | {"reduction": reduction})


def test_without_padding_there_is_no_reduction():
    with pytest.raises(SettingsError, match="valid"):
        build_network("unet", OPTIONS | {"padding": "valid", "reduction": 2})
