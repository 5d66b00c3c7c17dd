"""Gradient checkpointing: activations are computed twice instead of being kept.

Chen et al. 2016, arXiv:1604.06174.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

__all__ = ["run"]


def run(module: nn.Module, *inputs: Tensor, checkpointing: bool) -> Tensor:
    """Call `module`; with `checkpointing`, keep only its inputs for the backward pass."""
    output: Tensor
    if checkpointing and module.training and torch.is_grad_enabled():
        contexts = partial(_contexts, module)
        output = checkpoint(module, *inputs, use_reentrant=False, context_fn=contexts)
    else:
        output = module(*inputs)
    return output


def _contexts(module: nn.Module) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    return nullcontext(), _frozen_statistics(module)


@contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Keep the second computation from counting a batch twice in the running statistics."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    counts = [
        None if n.num_batches_tracked is None else n.num_batches_tracked.clone() for n in norms
    ]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)
