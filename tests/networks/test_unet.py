"""The plain U-Net: sizes, parameter counts and options."""

import torch

from unet_napari.networks import UNet


def paper_parameters(in_channels, out_channels, features, dims=2, norm=0):
    """Count the paper's weights: 3^d convolutions, 2^d up-convolutions, a 1^d at the end."""
    bias = 2 if norm else 1  # scale and shift of a norm take the place of a bias
    total, width = 0, in_channels
    for count in features:
        total += 3**dims * width * count + bias * count
        total += 3**dims * count * count + bias * count
        width = count
    for count in reversed(features[:-1]):
        total += 2**dims * width * count + count
        total += 3**dims * 2 * count * count + bias * count
        total += 3**dims * count * count + bias * count
        width = count
    return total + width * out_channels + out_channels


class TestPaper:
    def test_published_count(self):
        # 31,030,658 weights for one channel in and two classes out: the published network.
        assert paper_parameters(1, 2, (64, 128, 256, 512, 1024)) == 31_030_658
        with torch.device("meta"):
            network = UNet(1, 2, 64, padding="valid")
        assert network.parameter_count == 31_030_658

    def test_sizes_of_figure_one(self):
        with torch.device("meta"):
            network = UNet(in_channels=3, out_channels=1, features=64, padding="valid")
            assert network(torch.empty(1, 3, 572, 572)).shape == (1, 1, 388, 388)
        assert network.margin == (92, 92)
        assert not [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
