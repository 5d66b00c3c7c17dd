"""What a network should have said about a batch of patches. No torch when it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Target"]


class Target(NamedTuple):
    """What a network should have said about a batch.

    Attributes
    ----------
    values : Tensor
        For independent maps float ``(N, K, *S)``, 0 to 1. For exclusive maps int64
        ``(N, 1, *S)``: the position of the true map among the K maps.
    weight : Tensor
        Float ``(N, 1, *S)`` or ``(N, K, *S)``: how much each pixel counts, 0 where it is
        unlabelled.
    """

    values: Tensor
    weight: Tensor
