"""The halo is enough, no more than that, and None where there is no bound."""

import math

import pytest
import torch

from unet_napari.networks import (
    AttentionUNet,
    FusionUNet,
    NestedUNet,
    ResNetUNet,
    UNet,
    exact_halo,
    fold_batch_norm,
)


def analytic_halo(strides, kernels):
    """Follow one cell of the stride grid down and up again, by hand, along one axis."""
    total = math.prod(strides)
    start, stop = 0, total
    levels = [*zip(strides, kernels, strict=False)]
    for stride, kernel in levels:
        start, stop = start - (kernel - 1), stop + (kernel - 1)  # two convolutions
        start, stop = start // stride, -(-stop // stride)  # every pool that sees any of it
    start, stop = start - (kernels[-1] - 1), stop + (kernels[-1] - 1)
    for stride, kernel in reversed(levels):
        start, stop = start * stride - (kernel - 1), stop * stride + (kernel - 1)
    return math.ceil(max(-start, stop - total) / total) * total


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 6])
def test_the_plain_network_has_its_analytic_halo(levels):
    expected = analytic_halo([2] * (levels - 1), [3] * levels)
    assert exact_halo(UNet(features=[2] * levels)) == (expected, expected)


def test_axes_are_measured_apart():
    network = UNet(
        features=(2, 2, 2), ndim=3, strides=[(1, 2, 3), 2], kernels=[(1, 3, 5), 3, (3, 1, 3)]
    )
    assert exact_halo(network) == (
        analytic_halo([1, 2], [1, 3, 3]),
        analytic_halo([2, 2], [3, 3, 1]),
        analytic_halo([3, 2], [5, 3, 3]),
    )


def test_without_padding_the_halo_covers_the_margin():
    network = UNet(features=(2, 2, 2), padding="valid")
    assert network.margin == (20, 20)
    assert exact_halo(network) == (20, 20)


def test_statistics_of_the_tile_have_no_bound():
    assert exact_halo(UNet(features=(4, 4), norm="instance")) is None
    assert exact_halo(UNet(features=(4, 4), norm="group", ndim=3)) is None


def test_weights_do_not_matter():
    network = UNet(features=(2, 2, 2))
    expected = exact_halo(network)
    for value in (0.0, float("nan"), -1e30):
        with torch.no_grad():
            for tensor in (*network.parameters(), *network.buffers()):
                tensor.fill_(0 if tensor.dtype == torch.int64 else value)
        assert exact_halo(network) == expected


def test_the_network_is_left_as_it_is():
    network = AttentionUNet(features=(2, 2, 2)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    exact_halo(network)
    assert network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_folding_keeps_the_halo():
    network = NestedUNet(features=(2, 3, 4))
    assert exact_halo(fold_batch_norm(network)) == exact_halo(network)


def read_with_halo(network, x, halo, core):
    """Predict the core of a tile from itself and `halo` around it, cut at the image."""
    outer = [
        slice(max(0, c.start - h), min(size, c.stop + h))
        for c, h, size in zip(core, halo, x.shape[2:], strict=True)
    ]
    inner = [slice(c.start - o.start, c.stop - o.start) for c, o in zip(core, outer, strict=True)]
    return network(x[(..., *outer)])[(..., *inner)]


def test_a_tile_with_its_halo_equals_the_whole(network, shake_norms):
    halo = exact_halo(network.eval())
    if network.options.get("norm") in ("instance", "group"):
        assert halo is None
        return
    shake_norms(network)
    stride = network.stride
    if network.name == "resnet_unet":
        size, core = (1024, 32), (slice(480, 544), slice(0, 32))
    else:
        size = [2 * h + 3 * s for h, s in zip(halo, stride, strict=True)]
        core = [slice(h + s, h + 2 * s) for h, s in zip(halo, stride, strict=True)]
    x = torch.randn(1, 2, *size)
    with torch.no_grad():
        whole = network(x)[(..., *core)]
        tile = read_with_halo(network, x, halo, core)
    torch.testing.assert_close(tile, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [UNet, AttentionUNet, NestedUNet, FusionUNet])
def test_a_smaller_halo_is_not_enough(kind):
    torch.manual_seed(0)
    network = kind(features=(4, 4, 4), activation="silu").double().eval()
    halo = [h - s for h, s in zip(exact_halo(network), network.stride, strict=True)]
    x = 10 * torch.randn(1, 1, 80, 80, dtype=torch.float64)
    core = (slice(40, 44), slice(40, 44))
    with torch.no_grad():
        assert not torch.equal(read_with_halo(network, x, halo, core), network(x)[(..., *core)])


def test_a_deep_backbone_reaches_far():
    assert exact_halo(ResNetUNet(depth=18, features=(4, 4, 4, 4, 4))) == (320, 320)
