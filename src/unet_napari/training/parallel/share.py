"""What every process does in a step: the gradient of its share of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unet_napari.tasks.batch_sums import joint_sums
from unet_napari.training.data.augment import Patch
from unet_napari.training.parallel.flat_weights import FlatWeights
from unet_napari.training.parallel.joint_norm import joint_batch_norm, most_channels

if TYPE_CHECKING:
    from unet_napari.networks.base import Network
    from unet_napari.training.batch_loss import BatchLoss
    from unet_napari.training.parallel.group import Group

__all__ = ["Share", "longest_sum"]


def longest_sum(network: Network, maps: int) -> int:
    """Return the most numbers that a step adds up at once.

    Parameters
    ----------
    network
        The network.
    maps
        Number of its maps, of each of which a loss has three sums.
    """
    return max(2, 3 * maps, 1 + 2 * most_channels(network))


class Share:
    """The part of one process in every step.

    Parameters
    ----------
    loss
        The loss of its network.
    group
        The processes.
    """

    def __init__(self, loss: BatchLoss, group: Group) -> None:
        self._loss, self._group = loss, group
        self._flat = FlatWeights(loss.network)

    def gradients(self, batch: Patch) -> Tensor:
        """Share a batch, and give the weights of the leader the gradient of all of it.

        Parameters
        ----------
        batch
            The whole batch: that of the leader, and room for it in the others.

        Returns
        -------
        Tensor
            Loss of the whole batch, a scalar.

        Raises
        ------
        PartnerError, PartnerMemoryError
            If another process has failed. All of them are ready for another step then.
        ResourceError
            If another process is lost.
        """
        group, flat = self._group, self._flat
        group.settle()  # all have room for the batch
        if group.rank == 0:
            flat.take_weights()
        group.spread(flat.row)
        if group.rank:
            flat.set_weights()
        for part in batch:
            group.spread(part.view(torch.uint8) if part.dtype == torch.bool else part)
        own = _part_of(batch, group.rank, group.size)
        with group.telling(), joint_batch_norm(self._loss.network, group), joint_sums(self._total):
            loss = self._loss.gradients(own)
        group.settle()
        flat.take_gradients()
        group.add_up(flat.gradients)
        if group.rank == 0:
            flat.set_gradients()
        return loss

    def _total(self, sums: Tensor) -> Tensor:
        total: Tensor = _Total.apply(sums, self._group)
        return total


class _Total(torch.autograd.Function):
    """The sums over all processes, of which all compute the same loss.

    The gradient of that loss by the sum is its gradient by each share of it. So gradients of the
    weights are added up in the end, not averaged.
    """

    @staticmethod
    def forward(ctx: Any, sums: Tensor, group: Group) -> Tensor:  # noqa: ANN401
        """Return the sums over all processes."""
        del ctx
        return group.total(sums)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Pass the gradient on."""
        del ctx
        return gradients[0], None


def _part_of(batch: Sequence[Tensor], rank: int, size: int) -> Patch:
    """Return the patches of one process; of the shares, the first ones are larger by one patch."""
    image, labels, annotated = (part.tensor_split(size)[rank] for part in batch)
    return Patch(image, labels, annotated)
