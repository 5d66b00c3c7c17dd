"""All weights of a network, or their gradients, in one row, as they travel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FlatWeights"]


class FlatWeights:
    """A row of numbers with a place for each weight, made once: no step has to find memory for it.

    Parameters
    ----------
    network
        The network, on its device.

    Attributes
    ----------
    row
        The numbers, float32: parameters, then running statistics.
    gradients
        The part of it that holds the gradients of the parameters.
    """

    def __init__(self, network: nn.Module) -> None:
        self._parameters = list(network.parameters())
        buffers = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        self._values: list[Tensor] = [*self._parameters, *buffers]
        sizes = [value.numel() for value in self._values]
        device = self._parameters[0].device
        self.row = torch.empty(sum(sizes), device=device)
        self.gradients = self.row[: sum(sizes[: len(self._parameters)])]
        parts = torch.split(self.row, sizes)
        self._places = [p.view(v.shape) for p, v in zip(parts, self._values, strict=True)]

    @torch.no_grad()
    def take_weights(self) -> None:
        """Fill the row with the weights."""
        for place, value in zip(self._places, self._values, strict=True):
            place.copy_(value)

    @torch.no_grad()
    def set_weights(self) -> None:
        """Fill the weights from the row."""
        for place, value in zip(self._places, self._values, strict=True):
            value.copy_(place)

    def take_gradients(self) -> None:
        """Fill the row with the gradients; weights that have none count as zero."""
        for place, parameter in zip(self._places, self._parameters, strict=False):
            if parameter.grad is None:
                place.zero_()
            else:
                place.copy_(parameter.grad)

    def set_gradients(self) -> None:
        """Fill the gradients from the row, of those weights that have one."""
        for place, parameter in zip(self._places, self._parameters, strict=False):
            if parameter.grad is not None:
                parameter.grad.copy_(place)
