"""The plain U-Net: sizes, parameter counts, values and options."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from unet_napari.errors import ImageError
from unet_napari.networks import PRESETS, FusionUNet, UNet


def planned_parameters(in_channels, out_channels, features, ndim=2, norm=False):
    """Count the paper's weights: 3^d convolutions, 2^d up-convolutions, a 1^d at the end."""
    bias = 2 if norm else 1  # scale and shift of a norm take the place of a bias
    total, width = 0, in_channels
    for count in features:
        total += 3**ndim * width * count + bias * count
        total += 3**ndim * count * count + bias * count
        width = count
    for count in reversed(features[:-1]):
        total += 2**ndim * width * count + count
        total += 3**ndim * 2 * count * count + bias * count
        total += 3**ndim * count * count + bias * count
        width = count
    return total + width * out_channels + out_channels


class TestPaper:
    def test_published_count(self):
        # 31,030,658 weights with one channel in and two classes out: the published network.
        assert planned_parameters(1, 2, PRESETS["original"]) == 31_030_658
        with torch.device("meta"):
            assert UNet(1, 2, 64, padding="valid").parameter_count == 31_030_658
            rgb = UNet(in_channels=3, out_channels=1, features=64, padding="valid")
        assert rgb.parameter_count == planned_parameters(3, 1, PRESETS["original"])

    def test_sizes_of_figure_one(self):
        with torch.device("meta"):
            network = UNet(in_channels=3, out_channels=1, features=64, padding="valid")
            assert network(torch.empty(1, 3, 572, 572)).shape == (1, 1, 388, 388)
        assert network.margin == (92, 92)
        assert network.stride == (16, 16)

    def test_no_norm_by_default(self):
        network = UNet(features=(2, 4), padding="valid")
        assert network.options["norm"] == "none"
        assert not [m for m in network.modules() if "Norm" in type(m).__name__]

    def test_skips_are_cropped_in_the_middle(self):
        """An image shifted by the stride gives the same logits, shifted."""
        network = UNet(features=(3, 4, 5), padding="valid").eval()
        x = torch.randn(1, 1, 68, 68)
        with torch.no_grad():
            whole = network(x)
            shifted = network(x[..., 4:64, 8:68])
        torch.testing.assert_close(shifted, whole[..., 4:24, 8:28], rtol=1e-4, atol=1e-5)

    def test_any_size_loses_the_margin(self):
        network = UNet(features=(2, 3, 4), padding="valid").eval()
        assert network.margin == (20, 20)
        with torch.no_grad():
            assert network(torch.zeros(1, 1, 41, 57)).shape == (1, 1, 1, 17)
        with pytest.raises(ImageError, match="at least 41"):
            network(torch.zeros(1, 1, 40, 57))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_presets_have_their_true_count(preset, ndim):
    with torch.device("meta"):
        network = UNet(1, 2, preset, ndim=ndim)
    assert network.options["features"] == list(PRESETS[preset])
    assert network.parameter_count == planned_parameters(1, 2, PRESETS[preset], ndim, norm=True)


def reference(state, x, *, padding):
    """Compute a two-level U-Net without norms from its weights alone, step by step."""
    weights = list(state.values())
    convolve = {4: functional.conv2d, 5: functional.conv3d}[x.ndim]
    enlarge = {4: functional.conv_transpose2d, 5: functional.conv_transpose3d}[x.ndim]
    shrink = {4: functional.max_pool2d, 5: functional.max_pool3d}[x.ndim]

    def block(x, weights):
        x = convolve(x, weights[0], weights[1], padding=padding).relu()
        return convolve(x, weights[2], weights[3], padding=padding).relu()

    skip = block(x, weights[0:4])
    x = block(shrink(skip, 2), weights[4:8])
    x = enlarge(x, weights[8], weights[9], stride=2)
    for axis in range(2, x.ndim):
        border = (skip.shape[axis] - x.shape[axis]) // 2
        skip = skip.narrow(axis, border, x.shape[axis])
    x = block(torch.cat([skip, x], 1), weights[10:14])
    return convolve(x, weights[14], weights[15])


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_values_equal_a_step_by_step_computation(ndim, padding):
    network = UNet(2, 3, (4, 5), ndim=ndim, padding=padding, norm="none")
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)  # biases too
    x = torch.randn(1, 2, *(20, 22, 24)[:ndim])
    with torch.no_grad():
        expected = reference(network.state_dict(), x, padding={"same": 1, "valid": 0}[padding])
        torch.testing.assert_close(network(x), expected, rtol=1e-5, atol=1e-6)


def test_deep_supervision_returns_full_resolution_logits_in_training_only():
    network = UNet(1, 2, (4, 6, 8, 8), deep_supervision=True, norm="none")
    x = torch.randn(1, 1, 19, 30)
    main, *others = network.train()(x)
    assert [o.shape for o in others] == [(1, 2, 19, 30)] * 2
    torch.testing.assert_close(network.eval()(x), main)
    assert not any(torch.allclose(main, other) for other in others)


def test_fusion_adds_the_vote_of_every_scale():
    """Raising a scale's vote by its bias raises the logits by as much, everywhere."""
    network = FusionUNet(1, 2, (4, 6, 8)).eval()
    x = torch.randn(1, 1, 21, 18)
    with torch.no_grad():
        before = network(x)
        for vote in network.head.votes:
            vote[0].bias += torch.tensor([1.0, -2.0])
        change = network(x) - before
    expected = torch.tensor([3.0, -6.0]).view(1, 2, 1, 1).expand_as(change)
    torch.testing.assert_close(change, expected, rtol=1e-4, atol=1e-4)


def test_dropout_works_in_training_only():
    network = UNet(1, 1, (8, 8), dropout=0.5)
    x = torch.randn(1, 1, 16, 16)
    assert not torch.equal(network.train()(x), network(x))
    assert torch.equal(network.eval()(x), network(x))


def test_interpolation_makes_no_checkerboard():
    """A constant image stays constant away from the border, whatever the weights."""
    torch.manual_seed(0)
    x = torch.ones(1, 1, 64, 64)
    spread = {}
    for upsampling in ("transposed", "interpolate"):
        network = UNet(1, 1, (4, 6), upsampling=upsampling).eval()
        with torch.no_grad():
            spread[upsampling] = network(x)[..., 24:40, 24:40].std().item()
    assert spread["interpolate"] < 1e-5 < 1e-2 < spread["transposed"]


@settings(deadline=None, max_examples=50)
@given(
    strides=st.lists(st.tuples(*[st.integers(1, 3)] * 2), min_size=1, max_size=3),
    size=st.tuples(*[st.integers(1, 40)] * 2),
)
def test_any_strides_and_any_size(strides, size):
    network = UNet(1, 1, [2] * (len(strides) + 1), strides=strides).eval()
    assert network.stride == tuple(
        int(torch.tensor([s[axis] for s in strides]).prod()) for axis in range(2)
    )
    with torch.no_grad():
        assert network(torch.zeros(1, 1, *size)).shape == (1, 1, *size)


@settings(deadline=None, max_examples=50)
@given(
    strides=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    kernel=st.sampled_from([1, 3, 5]),
    extra=st.integers(0, 9),
)
def test_valid_sizes_add_up(strides, kernel, extra):
    network = UNet(
        1, 1, [2] * (len(strides) + 1), strides=strides, kernels=kernel, padding="valid"
    ).eval()
    size = network.smallest[0] + extra
    with torch.no_grad():
        out = network(torch.zeros(1, 1, size, size)).shape[-1]
    assert out == size - 2 * network.margin[0]
    assert network.smallest[0] - 2 * network.margin[0] > 0
