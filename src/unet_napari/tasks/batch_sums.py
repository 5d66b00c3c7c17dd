"""Sums over a batch, which are those of the whole batch also where several processes share it.

A loss that is a mean over the pixels of a batch is not the mean of the means of its shares, as one
share may hold more painted pixels than another. So every loss adds up through `batch_sums`, and
where a batch is shared, the sums of all shares are what it divides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

__all__ = ["batch_sums", "joint_sums"]

Joint = Callable[[Tensor], Tensor]

_joint: ContextVar[Joint | None] = ContextVar("_joint", default=None)


@contextmanager
def joint_sums(joint: Joint) -> Iterator[None]:
    """Let `batch_sums` return the sums of all who share the batch.

    Parameters
    ----------
    joint
        Takes the sums of this share, float ``(L,)``, and returns those of all shares. All who share
        the batch call it equally often, and with as many sums.
    """
    token = _joint.set(joint)
    try:
        yield
    finally:
        _joint.reset(token)


def batch_sums(*sums: Tensor) -> tuple[Tensor, ...]:
    """Return sums over the whole batch from those over what is here of it.

    Parameters
    ----------
    *sums
        Float tensors of any shape, each a sum over samples and pixels.

    Returns
    -------
    tuple of Tensor
        The same, unless the batch is shared, see `joint_sums`.
    """
    joint = _joint.get()
    if joint is None:
        return sums
    total = joint(torch.cat([each.flatten() for each in sums]))
    parts = torch.split(total, [each.numel() for each in sums])
    return tuple(part.view_as(each) for part, each in zip(parts, sums, strict=True))
