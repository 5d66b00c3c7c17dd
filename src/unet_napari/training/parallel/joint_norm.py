"""Batch norm over a batch that several processes share.

torch's ``SyncBatchNorm`` does it on CUDA only, and hangs where one of the processes fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from unet_napari.training.parallel.group import Group

__all__ = ["joint_batch_norm", "most_channels"]


def most_channels(network: nn.Module) -> int:
    """Return the most channels that a batch norm of a network has; 0 where there is none."""
    norms = (module for module in network.modules() if isinstance(module, _BatchNorm))
    return max((norm.num_features for norm in norms), default=0)


@contextmanager
def joint_batch_norm(network: nn.Module, group: Group) -> Iterator[None]:
    """Let batch norms in training mode take mean and variance from the shares of all processes."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.forward = partial(_forward, norm, group)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward  # that of its class is there again


def _forward(norm: _BatchNorm, group: Group, x: Tensor) -> Tensor:
    if not norm.training:
        output: Tensor = type(norm).forward(norm, x)
        return output
    output, mean, var, count = _JointNorm.apply(x, norm.weight, norm.bias, norm.eps, group)
    if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None:
        with torch.no_grad():
            tracked = norm.num_batches_tracked
            momentum = norm.momentum
            if tracked is not None:
                tracked.add_(1)
                momentum = 1 / float(tracked) if momentum is None else momentum
            share = momentum or 0.0
            norm.running_mean.lerp_(mean, share)
            norm.running_var.lerp_(var * (count / (count - 1).clamp_min(1)), share)
    return output


class _JointNorm(torch.autograd.Function):
    """Normalise by the moments over all processes; see Ioffe & Szegedy 2015, arXiv:1502.03167.

    Only the input is kept for the way back, as by torch's own.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        group: Group,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the output, and mean, variance and number of all pixels of a channel."""
        wide, axes = x.float(), [axis for axis in range(x.ndim) if axis != 1]
        channels = x.shape[1]
        var, mean = (part.double() for part in torch.var_mean(wide, axes, correction=0))
        pixels = mean.new_full((1,), x.numel() // channels)
        # Squares about zero lose nothing in 64 bits.
        sums = group.total(torch.cat([pixels, pixels * mean, pixels * (var + mean * mean)]))
        count, first, second = torch.split(sums, [1, channels, channels])
        mean = first / count
        var = (second / count - mean * mean).clamp_min(0)
        inverse = (var + eps).rsqrt().float()
        mean, var, count = mean.float(), var.float(), count.float()
        scale = inverse if weight is None else inverse * weight
        output = (wide - _along(mean, x)) * _along(scale, x)
        if bias is not None:
            output += _along(bias, x)
        ctx.save_for_backward(x, weight, mean, inverse, count)
        ctx.has_bias, ctx.group = bias is not None, group
        ctx.mark_non_differentiable(mean, var, count)
        return output.to(x.dtype), mean, var, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Return the gradients of input, weight and bias."""
        x, weight, mean, inverse, count = ctx.saved_tensors
        gradient = gradients[0].float()
        axes = [axis for axis in range(x.ndim) if axis != 1]
        normal = (x.float() - _along(mean, x)) * _along(inverse, x)
        own = gradient.sum(axes), (gradient * normal).sum(axes)
        plain, turned = (ctx.group.total(torch.cat(own)) / count).chunk(2)
        scale = inverse if weight is None else inverse * weight
        inward = gradient - _along(plain, x) - normal * _along(turned, x)
        inward = inward * _along(scale, x)
        return (
            inward.to(x.dtype),
            None if weight is None else own[1],
            own[0] if ctx.has_bias else None,
            None,
            None,
        )


def _along(values: Tensor, x: Tensor) -> Tensor:
    """Return one value for each channel, shape ``(C, 1, ...)``."""
    return values.reshape(-1, *(1,) * (x.ndim - 2))
