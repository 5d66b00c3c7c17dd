"""Our convolutions are torch's, whatever the number of rows that they were first used with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional

from unet_napari.inference.streaming import convolution as module
from unet_napari.inference.streaming.convolution import Convolution, has_fast_kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}


@pytest.fixture(params=[True, False], ids=["probed", "fallback"])
def fast(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the private kernels are taken; both ways have to give the sums of torch."""
    if request.param and not has_fast_kernels():
        pytest.skip("this version of torch has no such kernels")
    monkeypatch.setattr(module, "has_fast_kernels", lambda _: request.param)
    return request.param


@pytest.mark.usefixtures("fast")
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


@pytest.mark.usefixtures("fast")
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


@pytest.fixture
def probe() -> Iterator[Callable[[], bool]]:
    """Return the probe as if it had never been asked, and forget what it says afterwards."""
    has_fast_kernels.cache_clear()
    yield has_fast_kernels
    has_fast_kernels.cache_clear()


def plain() -> Convolution:
    ones = [1, 1]
    return Convolution(torch.ones(1, 1, 3, 3), None, ones, [0, 1], ones, False, [0, 0], 1)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs oneDNN")
def test_the_kernels_of_this_torch_are_taken(probe: Callable[[], bool]) -> None:
    """Where a new version of torch fails here, look in `Convolution.by_onednn` for what changed."""
    assert probe(), "torch.ops.mkldnn has changed: streams now take torch.convolution, slower in 3D"


@pytest.mark.parametrize("fault", ["missing", "wrong", "other shape", "not a number"])
def test_kernels_that_changed_are_left_alone(
    probe: Callable[[], bool], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def changed(self: Convolution, x: torch.Tensor) -> torch.Tensor:
        result = self.by_torch(x)
        if fault == "missing":
            raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute")
        if fault == "other shape":
            return result[:, :1]
        return result + (0.01 if fault == "wrong" else torch.nan)

    monkeypatch.setattr(Convolution, "by_onednn", changed)
    assert not probe()
    with torch.inference_mode():
        sums = plain()([torch.ones(1, 1, 3, 4)], None)
    assert sums.flatten().tolist() == [6, 9, 9, 6]


def test_without_onednn_torch_convolves(
    probe: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not probe()
