"""Convolutions of single images on the CPU, by the kernels that are fast for them.

torch chooses its convolution by rules of thumb made for large batches. For one image they miss
oneDNN in 3D and take a kernel that is several times slower, so it is called by name here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["convolve"]


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    relu: bool,
) -> Tensor:
    """Compute ``aten::convolution`` with the same arguments, and a ReLU of it if `relu`."""
    result: Tensor
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and torch._C._has_mkldnn
    plain &= len(x) > 0  # of the empty batch of a rehearsal oneDNN divides by zero
    then: tuple[str, list[float], str] = ("relu" if relu else "none", [], "")
    if plain and not transposed:
        result = torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, padding, stride, dilation, groups, *then
        )
        return result
    if plain and x.ndim == 5 and groups == 1:  # in 2D torch's own is the faster one
        result = torch.ops.mkldnn._convolution_transpose_pointwise(
            x, weight, bias, padding, output_padding, stride, dilation, groups, *then
        )
        return result
    result = torch.convolution(
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups
    )
    return result.relu_() if relu else result
