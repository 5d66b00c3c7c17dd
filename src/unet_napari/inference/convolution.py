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
) -> Tensor:
    """Compute ``aten::convolution`` with the same arguments."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32
    if not plain or not torch._C._has_mkldnn:
        return torch.convolution(
            x, weight, bias, stride, padding, dilation, transposed, output_padding, groups
        )
    if not transposed:
        return torch.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)
    if x.ndim == 4 or groups > 1:  # torch's own is the faster one in 2D
        return torch.convolution(
            x, weight, bias, stride, padding, dilation, True, output_padding, groups
        )
    result: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
        x, weight, bias, padding, output_padding, stride, dilation, groups, "none", [], ""
    )
    return result
