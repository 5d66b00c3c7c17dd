"""Convolutions of single images on the CPU, by the kernels that are fast for them.

torch chooses its convolution by rules of thumb made for large batches. For one image they miss
oneDNN in 3D and take a kernel that is several times slower, so it is called by name here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["Convolution"]


@dataclass(frozen=True)
class Convolution:
    """``aten::convolution`` with the same arguments but the input, and a ReLU of it if `relu`."""

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
        """Convolve the first of the inputs."""
        (x,) = inputs
        plain = x.device.type == "cpu" and x.dtype == torch.float32 and torch._C._has_mkldnn
        plain &= len(x) > 0  # of the empty batch of a rehearsal oneDNN divides by zero
        if plain and not self.transposed:
            return self._convolved(x)
        if plain and x.ndim == 5 and self.groups == 1:  # in 2D torch's own is the faster one
            return self._transposed(x)
        result = torch.convolution(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation,
            self.transposed, self.output_padding, self.groups,
        )  # fmt: skip
        return result.relu_() if self.relu else result

    def _convolved(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._packed, self.bias, self.padding, self.stride, self.dilation, self.groups,
            self._then, [], "",
        )  # fmt: skip
        return result

    @cached_property
    def _packed(self) -> Tensor:
        """The weights in oneDNN's own order: it would bring them into it again for each strip."""
        packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            self.weight, self.padding, self.stride, self.dilation, self.groups
        )
        return packed

    def _transposed(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
            x, self.weight, self.bias, self.padding, self.output_padding, self.stride,
            self.dilation, self.groups, self._then, [], "",
        )  # fmt: skip
        return result

    @property
    def _then(self) -> str:
        return "relu" if self.relu else "none"
