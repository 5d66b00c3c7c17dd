"""torch, which computes networks on any device, and strip by strip on the CPU."""

from __future__ import annotations

import copy
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch

from unet_napari.inference.backends.device_choice import fault_of
from unet_napari.inference.streaming.graph import Node, trace
from unet_napari.inference.streaming.stream import Stream, find_room
from unet_napari.system.device import memory_format

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.networks import Network

__all__ = ["TorchBackend", "layout_for"]

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
# Values of a batch up to which a second thread saves some hundredths of a second at most. Between
# the layers the threads wait for each other without sleeping: where another program has one of the
# processors, 128 x 128 pixels took 2 s in two threads, and 0.16 s in one.
_SMALL_BATCH = 2**15


class TorchBackend:
    """A network computed by torch, with channels last in memory if that is exact.

    Parameters
    ----------
    network : Network
        In evaluation mode, on the CPU, its batch norm folded. It is left as it is: another device
        gets a copy, and the CPU computes with the weights that are here.
    device : torch.device
        Device on which it computes.
    precision : {"auto", "fp32", "fp16", "bf16"}
        Number format. ``"auto"`` is fp16 on CUDA, where it is several times faster and the device
        computes it well (GeForce GTX 16 cards do not), and fp32 elsewhere.
    """

    def __init__(self, network: Network, device: torch.device, precision: str) -> None:
        if precision == "auto":
            fast = device.type == "cuda" and fault_of(device, network.ndim, "fp16") is None
            precision = "fp16" if fast else "fp32"
        self.description = f"torch, {device.type}, {precision}"
        self._device = device
        self._dtype = _DTYPES.get(precision)
        self._layout = layout_for(network, device)
        if device.type != "cpu":
            network = copy.deepcopy(network).to(device).to(memory_format=self._layout)
        elif self._dtype is torch.bfloat16 and not network.normalises_by_tile():
            # All in bf16 takes half the memory and two thirds of the time of autocast, which
            # brings weights and features into it again for each strip.
            network = copy.deepcopy(network).to(torch.bfloat16)
        self._network = network
        self._weights = next(network.parameters()).dtype
        # Steps and room by shape and strip: every column and every image of a series has the same.
        self._streams: dict[tuple[tuple[int, ...], int], tuple[list[Node], list[int]]] = {}

    def stream(self, shape: tuple[int, ...], strip: int) -> Stream:
        """Return what computes images of a shape (1, C, *S) in strips, on the CPU."""
        if (shape, strip) not in self._streams:
            steps = trace(self._network, shape)
            self._streams[shape, strip] = steps, find_room(steps, strip, self._weights)
        steps, room = self._streams[shape, strip]
        return Stream(steps, strip, room, dtype=self._weights)

    @torch.inference_mode()
    def logits(self, batch: NDArray[np.float32]) -> Tensor:
        """Return the logits of a batch, fp32, on the backend's device."""
        x = torch.from_numpy(batch).to(self._device, self._weights, memory_format=self._layout)
        mixed = self._dtype is not None and self._weights is not self._dtype
        precision = torch.autocast(self._device.type, dtype=self._dtype, enabled=mixed)
        small = self._device.type == "cpu" and batch.size <= _SMALL_BATCH
        with precision, _ONE_THREAD if small else nullcontext():
            logits: Tensor = self._network(x)
        return logits.float()


class _OneThread:
    """While anybody is in its block, torch computes with the calling thread alone.

    torch has one number of threads for the whole process, so the last one to leave restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = self._threads = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._threads = torch.get_num_threads()
                torch.set_num_threads(1)
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                torch.set_num_threads(self._threads)


_ONE_THREAD = _OneThread()


def layout_for(network: Network, device: torch.device) -> torch.memory_format:
    """Return in which order pixels and channels are to lie in memory."""
    # With channels last torch's group norm adds up pixels inexactly on CPUs: of 1024 x 1024 of
    # them logits were off by 0.004.
    if network.normalises_by_tile():
        return torch.contiguous_format
    return memory_format(network.ndim, device)
