"""What a network costs, found without computing anything.

A rehearsal runs the network on tensors that have a shape and no data (torch's meta device) and
adds up which of them are alive at the same time and how many operations they took. So the
numbers follow from the network itself, whatever its variant.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Return what running `network` in eval mode on an input of `shape` costs.

    Parameters
    ----------
    network : Module
        Not changed and not run.
    shape : tuple of int
        Of the input, (N, C, *S).
    """
    state = {
        name: tensor.to("meta")
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]
    }
    # The input is made inside, so that it is counted too.
    with torch.inference_mode(), LiveTensors() as live, FlopCounterMode(display=False) as counter:
        functional_call(network, state, (torch.empty(shape, device="meta"),))
    return Cost(live.peak, counter.get_total_flops())


class LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps account of the storage that is alive; `peak` is the most there ever was."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = 0
        self.peak = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401  torch's own signature
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._account(leaf.untyped_storage())
        return result

    def _account(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes()
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._forget, size)

    def _forget(self, size: int) -> None:
        self.alive -= size
