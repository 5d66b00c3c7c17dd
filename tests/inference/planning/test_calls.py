"""What a network calls is recorded without running it on data."""

import torch
from torch import nn

from unet_napari.inference.planning.calls import record


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.convolution(x)
        z = self.relu(y)  # changes y as well
        return torch.cat([nn.functional.max_pool2d(y, 2), nn.functional.max_pool2d(z, 2)], 1)


def test_calls_weights_and_users_are_told_apart():
    network = Branches().eval()
    image, calls, result = record(network, (1, 1, 8, 8))
    convolution, relu, first, second, cat = calls
    names = ["convolution", "relu", "max_pool2d_with_indices", "max_pool2d_with_indices", "cat"]
    assert [call.name for call in calls] == names
    assert convolution.arguments["input"] is image
    assert convolution.arguments["weight"] is network.convolution.weight
    assert convolution.arguments["padding"] == [1, 1]
    assert relu.arguments["self"] is convolution
    assert first.arguments["self"] is second.arguments["self"] is relu
    assert cat.arguments["tensors"] == [first, second]
    assert [call.users for call in (image, *calls)] == [1, 1, 2, 1, 1, 0]
    assert result is cat
    assert cat.shape == (1, 4, 4, 4)


def test_a_list_of_results_is_no_result():
    network = nn.ModuleList([nn.Conv2d(1, 1, 1)])
    network.forward = lambda x: [network[0](x), x]
    assert record(network, (1, 1, 4, 4))[2] is None
