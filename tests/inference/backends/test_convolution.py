"""Our convolutions are torch's, whatever the number of rows that they were first used with."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from unet_napari.inference.backends.convolution import Convolution

LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("relu", [False, True])
def test_any_number_of_rows_gives_the_sums_of_torch(ndim: int, groups: int, relu: bool) -> None:
    torch.manual_seed(0)
    weight, bias = torch.rand(8, 4 // groups, *[3] * ndim) - 0.5, torch.randn(8)
    ones, padding = [1] * ndim, [0, *[1] * (ndim - 1)]
    ours = Convolution(weight, bias, ones, padding, ones, False, [0] * ndim, groups, relu)
    theirs = {2: functional.conv2d, 3: functional.conv3d}[ndim]

    with torch.inference_mode():
        for rows in (3, 17, 4):
            x = torch.randn(1, 4, rows, *[9] * (ndim - 1)).to(memory_format=LAYOUT[ndim])
            expected = theirs(x, weight, bias, padding=padding, groups=groups)
            expected = expected.relu() if relu else expected
            torch.testing.assert_close(ours([x], None), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("relu", [False, True])
def test_a_transposed_one_gives_the_sums_of_torch(ndim: int, relu: bool) -> None:
    torch.manual_seed(0)
    weight, bias = torch.randn(4, 6, *[2] * ndim), torch.randn(6)
    twos, ones, nothing = [2] * ndim, [1] * ndim, [0] * ndim
    ours = Convolution(weight, bias, twos, nothing, ones, True, nothing, 1, relu)
    theirs = {2: functional.conv_transpose2d, 3: functional.conv_transpose3d}[ndim]
    x = torch.randn(1, 4, *[7] * ndim).to(memory_format=LAYOUT[ndim])

    with torch.inference_mode():
        expected = theirs(x, weight, bias, stride=2)
        expected = expected.relu() if relu else expected
        torch.testing.assert_close(ours([x], None), expected, rtol=0, atol=1e-5)


def test_no_images_give_no_images() -> None:
    convolution = Convolution(
        torch.randn(8, 4, 3, 3), None, [1, 1], [0, 1], [1, 1], False, [0, 0], 1
    )

    assert convolution([torch.empty(0, 4, 5, 6)], None).shape == (0, 8, 3, 6)
