"""The loss of a batch, with the precision and the order in memory that the device needs."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unet_napari.networks.base import Network, crop_centre
from unet_napari.tasks import Target, Task

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from unet_napari.training.data.augment import Patch

__all__ = ["BatchLoss"]


@dataclass(frozen=True)
class BatchLoss:
    """Computes the loss of a network.

    Attributes
    ----------
    network
        The network, on its device.
    task
        Encodes the labels and compares.
    device
        Device of the network.
    layout
        Order of pixels and channels in memory.
    mixed
        Whether the network computes in bf16.
    """

    network: Network
    task: Task
    device: torch.device
    layout: torch.memory_format
    mixed: bool

    def __call__(self, batch: Patch) -> Tensor:
        """Return the loss of a batch on any device, a scalar."""
        image = batch.image.to(self.device, memory_format=self.layout)
        labels, annotated = batch.labels.to(self.device), batch.annotated.to(self.device)
        target = self.task.encode(labels, annotated)
        with self._precision():
            outputs = self.network(image)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        # Deep supervision: each coarser output counts half as much as the one before.
        weights = [0.5**level for level in range(len(outputs))]
        losses = [
            weight * self.task.loss(logits.float(), _fitted(target, logits))
            for weight, logits in zip(weights, outputs, strict=True)
        ]
        return torch.stack(losses).sum() / sum(weights)

    def gradients(self, batch: Patch) -> Tensor:
        """Return the loss of a batch, and add its gradient to those of the weights."""
        loss = self(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _precision(self) -> AbstractContextManager[object]:
        if self.mixed:
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()


def _fitted(target: Target, logits: Tensor) -> Target:
    """Cut a target to the logits of a network that pads nothing."""
    return Target(crop_centre(target.values, logits), crop_centre(target.weight, logits))
