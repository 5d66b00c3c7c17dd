"""What computes the network: torch on any device, or OpenVINO on the CPU.

A backend is made once per prediction and then called with one batch after the other. Adding one
means adding a class with the two members of `Backend` and a line in `make_backend`.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.jit._trace import TracerWarning

from unet_napari.errors import ResourceError
from unet_napari.inference.backends.device_choice import fault_of
from unet_napari.inference.backends.int8 import quantise
from unet_napari.inference.streaming.graph import Node, trace
from unet_napari.inference.streaming.stream import Stream, find_room
from unet_napari.networks.folding import fold_batch_norm
from unet_napari.system.device import memory_format

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    import numpy as np
    from numpy.typing import NDArray

    from unet_napari.networks import Network

__all__ = [
    "Backend",
    "OpenVinoBackend",
    "TorchBackend",
    "has_openvino",
    "import_openvino",
    "make_backend",
]

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


class Backend(Protocol):
    """A network made ready to predict."""

    description: str
    """What computes, in words for the user."""

    def logits(self, batch: NDArray[np.float32]) -> Tensor:
        """Return the logits (N, K, *S) of normalised images (N, C, *S), on any device."""


class TorchBackend:
    """torch, with batch norm folded into the convolutions and channels last in memory if exact.

    Parameters
    ----------
    network : Network
        Left as it is: the backend works on a copy, so training may go on.
    device : torch.device
        Where to compute.
    precision : {"auto", "fp32", "fp16", "bf16"}
        ``"auto"`` is fp16 on CUDA, where it is several times faster and the device computes it
        well (GeForce GTX 16 cards do not), and fp32 elsewhere.
    """

    def __init__(self, network: Network, device: torch.device, precision: str) -> None:
        if precision == "auto":
            fast = device.type == "cuda" and fault_of(device, network.ndim, "fp16") is None
            precision = "fp16" if fast else "fp32"
        self.description = f"torch, {device.type}, {precision}"
        self._device = device
        self._dtype = _DTYPES.get(precision)
        self._network = fold_batch_norm(network).to(device)
        self._layout = _layout(self._network, device)
        self._network.to(memory_format=self._layout)
        # Steps and room by shape and strip: every column and every image of a series has the same.
        self._streams: dict[tuple[tuple[int, ...], int], tuple[list[Node], list[int]]] = {}

    def stream(self, shape: tuple[int, ...], strip: int) -> Stream:
        """Return what computes images of a shape (1, C, *S) in strips, on the CPU in fp32."""
        if (shape, strip) not in self._streams:
            steps = trace(self._network, shape)
            self._streams[shape, strip] = steps, find_room(steps, strip)
        steps, room = self._streams[shape, strip]
        return Stream(steps, strip, room)

    @torch.inference_mode()
    def logits(self, batch: NDArray[np.float32]) -> Tensor:
        """Return the logits of a batch, fp32, on the backend's device."""
        x = torch.from_numpy(batch).to(self._device, memory_format=self._layout)
        with torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None):
            logits: Tensor = self._network(x)
        return logits.float()


def _layout(network: Network, device: torch.device) -> torch.memory_format:
    """Return in which order pixels and channels lie in memory."""
    # With channels last torch's group norm adds up pixels inexactly on CPUs: of 1024 x 1024 of
    # them logits were off by 0.004.
    if network.normalises_by_tile():
        return torch.contiguous_format
    return memory_format(network.ndim, device)


class OpenVinoBackend:
    """OpenVINO on the CPU, with one compiled graph per tile shape; in fp32 until `quantise`.

    The tiles of one image have one shape (`unet_napari.inference.planning.tiles`), and a
    graph of fixed shape is faster than one of any shape.

    Parameters
    ----------
    network : Network
        Left as it is.

    Attributes
    ----------
    graph : openvino.Model
        What is compiled.
    """

    def __init__(self, network: Network) -> None:
        self.description = "OpenVINO, cpu, fp32"
        self.graph = _to_openvino(fold_batch_norm(network).cpu())
        self._shape: tuple[int, ...] = ()
        self._compiled: Callable[[NDArray[np.float32]], Any]

    def logits(self, batch: NDArray[np.float32]) -> Tensor:
        """Return the logits of a batch, fp32, on the CPU."""
        if batch.shape != self._shape:
            self._compiled = self._compile(batch.shape)
            self._shape = batch.shape
        return torch.from_numpy(self._compiled(batch)[0])

    def quantise(self, batches: Sequence[NDArray[np.float32]]) -> None:
        """Compute in int8 from now on, calibrated on batches (N, C, *S) of one shape."""
        self.graph.reshape(list(batches[0].shape))
        self.graph = quantise(self.graph, batches)
        self.description = "OpenVINO, cpu, int8"
        self._shape = ()

    def _compile(self, shape: tuple[int, ...]) -> Callable[[NDArray[np.float32]], Any]:
        self.graph.reshape(list(shape))
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # some processors would take bf16
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        compiled: Callable[[NDArray[np.float32]], Any] = import_openvino().compile_model(
            self.graph, "CPU", settings
        )
        return compiled


def import_openvino() -> ModuleType:
    """Import OpenVINO, which is an extra and slow to import, and keep it off the internet."""
    # When imported, openvino reports that to Intel, and nncf each quantisation, through the
    # package openvino_telemetry, which takes a user who was never asked for one who agreed. Where
    # that package cannot be imported both go without; None makes importing it fail.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino  # type: ignore[no-any-return]


def _to_openvino(network: Network) -> Any:  # noqa: ANN401  OpenVINO has no types
    """Convert a network, traced on a small image that fits its layers."""
    import_openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    # The next larger size: networks whose norm needs two positions enlarge the smallest one.
    sizes = (n + s for n, s in zip(network.smallest, network.stride, strict=True))
    example = torch.zeros(1, network.in_channels, *sizes)
    with torch.inference_mode(), warnings.catch_warnings():
        # Sizes that become constants are meant to: those of tiles always fit the layers.
        warnings.simplefilter("ignore", TracerWarning)
        warnings.simplefilter("ignore", FutureWarning)
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            network, example, check_trace=False
        )
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced)  # must outlive the conversion
    return frontend.convert(frontend.load(decoder))


def has_openvino() -> bool:
    """Tell whether OpenVINO is installed, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def make_backend(network: Network, name: str, device: torch.device, precision: str) -> Backend:
    """Make a network ready to predict.

    Parameters
    ----------
    network : Network
        Left as it is.
    name : {"torch", "openvino"}
        Which backend.
    device : torch.device
        Where torch computes; OpenVINO uses the CPU.
    precision : {"auto", "fp32", "fp16", "bf16"}
        Of torch. OpenVINO computes in fp32, until its backend is told to `quantise`.

    Raises
    ------
    ResourceError
        If OpenVINO is asked for and not installed.
    """
    if name == "torch":
        return TorchBackend(network, device, precision)
    if not has_openvino():
        raise ResourceError(
            "OpenVINO is not installed. Install it with: pip install openvino, "
            'or choose the backend "torch".'
        )
    return OpenVinoBackend(network)
