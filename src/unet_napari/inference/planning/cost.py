"""What a network costs, found without computing anything.

A rehearsal runs the network on a batch of no images and adds up how large its tensors would be
with images in the batch, which of them are alive at the same time and how many operations they
take. So the numbers follow from the network itself, whatever its variant.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from unet_napari.inference.planning.rehearsal import Observer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

__all__ = ["Cost", "LiveTensors", "rehearse"]


@dataclass(frozen=True)
class Cost:
    """The cost of one run of a network.

    Attributes
    ----------
    memory : int
        Largest number of bytes of features alive at once in fp32, the input and the output
        included, the weights not.
    operations : int
        Floating-point operations (a multiplication and an addition count as two).
    """

    memory: int
    operations: int

    def scaled(self, share: float) -> Cost:
        """Return the cost of an input `share` times as large."""
        return Cost(int(self.memory * share), int(self.operations * share))


def rehearse(network: nn.Module, shape: tuple[int, ...]) -> Cost:
    """Return what running `network` on an input of `shape` costs.

    Parameters
    ----------
    network : Module
        Network in eval mode; with its batch norm folded if it is used like that.
    shape : tuple of int
        Shape (N, C, *S) of the input.
    """
    device = next(network.parameters()).device
    # The input is made inside, so that it is counted too.
    with torch.no_grad(), LiveTensors(shape[0]) as live:
        network(torch.empty((0, *shape[1:]), device=device))
    return Cost(live.peak, live.operations)


class LiveTensors(Observer):
    """Keeps account of what runs on an empty batch, as if there were images in it.

    Parameters
    ----------
    images : int
        Number of images that would be in the batch.

    Attributes
    ----------
    peak : int
        Largest number of bytes that were alive at the same time.
    operations : int
        Floating-point operations of convolutions so far; next to theirs, others are nothing.
    """

    def __init__(self, images: int = 1) -> None:
        super().__init__()
        self._images = images
        self.peak = 0
        self.operations = 0
        self._alive = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def observe(
        self,
        operation: Any,  # noqa: ANN401
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,  # noqa: ANN401
    ) -> None:
        """Account for the tensors of the result, and for the work."""
        del kwargs  # a convolution's are all given by position
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._account(leaf)
        if operation is torch.ops.aten.convolution.default and isinstance(result, Tensor):
            self.operations += self._images * _convolution_operations(args, result)

    def _account(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        self._known.add(storage)
        size = self._images * math.prod(tensor.shape[1:]) * tensor.itemsize
        self._alive += size
        self.peak = max(self.peak, self._alive)
        weakref.finalize(storage, self._forget, size)

    def _forget(self, size: int) -> None:
        self._alive -= size


def _convolution_operations(args: tuple[Any, ...], result: Tensor) -> int:
    """Return the operations of a convolution.

    Each weight meets every pixel of the result; in a transposed one every pixel of the input.
    """
    features, weight, transposed = args[0], args[1], args[6]
    pixels = features if transposed else result
    return int(2 * weight.numel() * math.prod(pixels.shape[2:]))
