"""Convolutions of single images on the CPU, by the kernels that are fast for them.

torch chooses its convolution by rules of thumb made for large batches. For one image they miss
oneDNN in 3D and take a kernel that is several times slower, so oneDNN is called by name here.

These names (``torch.ops.mkldnn.*``) are private to torch and may change with any version of it.
So they stand in this file alone, they are compared once per process with the public
`torch.convolution` (`has_fast_kernels`), and where the comparison fails the public one computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["Convolution", "has_fast_kernels"]

# Largest difference between two convolutions of the probe, whose results are of the order of 1, by
# the type of their values; rounding makes less than a hundredth of it in fp32, a sixth in bf16.
_TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 0.1}


@dataclass(frozen=True)
class Convolution:
    """A convolution with fixed weights, and a ReLU of its result if `relu`.

    The attributes are the arguments of ``aten::convolution``, but for the input.
    """

    weight: Tensor
    bias: Tensor | None
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    transposed: bool
    output_padding: list[int]
    groups: int
    relu: bool = False

    def __call__(self, inputs: Sequence[Tensor], _: Tensor | None) -> Tensor:
        """Convolve the first of the inputs, (N, C, *S) of the type of the weights."""
        (x,) = inputs
        fast = x.device.type == "cpu" and x.dtype in _TOLERANCES
        # A rehearsal passes an empty batch, of which oneDNN divides by zero.
        if fast and len(x) > 0 and self._has_kernel(x.ndim) and has_fast_kernels(x.dtype):
            return self.by_onednn(x)
        return self.by_torch(x)

    def _has_kernel(self, dimensions: int) -> bool:
        # Of the transposed convolutions in 2D torch's own is the faster one.
        return not self.transposed or (dimensions == 5 and self.groups == 1)

    def by_torch(self, x: Tensor) -> Tensor:
        """Convolve with the public function of torch."""
        result = torch.convolution(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation,
            self.transposed, self.output_padding, self.groups,
        )  # fmt: skip
        return result.relu_() if self.relu else result

    def by_onednn(self, x: Tensor) -> Tensor:
        """Convolve with the kernels of oneDNN, by their private names."""
        then = "relu" if self.relu else "none"
        if self.transposed:
            result: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
                x, self.weight, self.bias, self.padding, self.output_padding, self.stride,
                self.dilation, self.groups, then, [], "",
            )  # fmt: skip
        else:
            result = torch.ops.mkldnn._convolution_pointwise(
                x, self._packed, self.bias, self.padding, self.stride, self.dilation, self.groups,
                then, [], "",
            )  # fmt: skip
        return result

    @cached_property
    def _packed(self) -> Tensor:
        """The weights in oneDNN's own order: it would bring them into it again for each strip."""
        if self.weight.dtype != torch.float32:
            # The best order depends on the number of rows then: packed for others, a layer of 384
            # channels took 50 times as long. Bringing them into it is a twentieth of the time.
            return self.weight
        packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            self.weight, self.padding, self.stride, self.dilation, self.groups
        )
        return packed


@cache
def has_fast_kernels(dtype: torch.dtype = torch.float32) -> bool:
    """Tell whether the kernels of oneDNN are there and compute what `torch.convolution` does.

    That is found out once per process, on a few pixels, in some milliseconds.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for ndim, transposed in ((2, False), (3, False), (3, True)):
            convolution = _example(ndim, generator, dtype, transposed=transposed)
            x = torch.randn(1, 4, *(6,) * ndim, generator=generator).to(dtype)
            expected = convolution.by_torch(x)
            # A kernel that is no longer there, or takes other arguments, raises one of these.
            try:
                found = convolution.by_onednn(x)
            except (AttributeError, NotImplementedError, RuntimeError, TypeError):
                return False
            if found.shape != expected.shape:
                return False
            difference = float((found - expected).abs().max())
            if not difference <= _TOLERANCES[dtype]:  # NaN is a difference, too
                return False
    return True


def _example(
    ndim: int, generator: torch.Generator, dtype: torch.dtype, *, transposed: bool
) -> Convolution:
    """Return a small convolution of 4 channels as our networks have them, with a ReLU."""
    size, step = (2, 2) if transposed else (3, 1)
    weight = torch.randn(4, 4, *(size,) * ndim, generator=generator) / size**ndim
    padding = [0, *(0 if transposed else 1,) * (ndim - 1)]
    bias = torch.randn(4, generator=generator)
    ones, zeros = [1] * ndim, [0] * ndim
    return Convolution(
        weight.to(dtype), bias.to(dtype), [step] * ndim, padding, ones, transposed, zeros, 1,
        relu=True,
    )  # fmt: skip
