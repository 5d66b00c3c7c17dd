"""OpenVINO, the library of Intel, which computes networks on CPUs.

How a network gets there
------------------------
OpenVINO takes a graph of operations. It is recorded with torch.jit.trace, which torch calls
deprecated, and read by OpenVINO's frontend for torch, which is not public. What was tried instead,
with torch 2.15, OpenVINO 2026.4 and U-Nets of three levels, with equal results:

* The public ``openvino.convert_model(network, example_input=...)`` uses torch.jit.trace, too, with
  the same warnings. It imports torch.export besides, which takes 2 s more in each process.
* ``convert_model`` with ``dynamo=True`` records with torch.export and gives no warning. It takes
  7 s for the first network and 1.5 to 5 s for each other one, instead of 0.2 s.
* ``convert_model`` of ``torch.export.export(network, ...)`` without dynamic shapes takes as
  long, and graphs of networks without padding or with instance norm take no other shape then.

So the parts of OpenVINO that are not public stand in `_convert_by_frontend` alone. Where they have
changed, `_convert` takes the public function.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unet_napari.inference.backends.int8 import quantise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.inference.backends.calibration import Calibration
    from unet_napari.networks import Network

    Compiled = Callable[[NDArray[np.float32]], Any]

__all__ = ["OpenVinoBackend", "import_openvino"]

_CPU = torch.device("cpu")
_PARTS = ("graph.xml", "graph.bin")  # files in which OpenVINO stores a graph: layers, numbers


class OpenVinoBackend:
    """OpenVINO on the CPU, with one compiled graph per tile shape; in fp32 until `quantise`.

    The tiles of one image have one shape (`unet_napari.inference.tiles`), and a
    graph of fixed shape is faster than one of any shape.

    Parameters
    ----------
    network : Network
        Network in evaluation mode, its batch norm folded. It is left as it is.
    device : torch.device
        Ignored: the CPU computes.
    precision : str
        Ignored: what is computed is fp32, until `quantise` is called.

    Attributes
    ----------
    description : str
        What computes, in words for the user.
    graph : openvino.Model
        What is compiled.
    calibration : Calibration or None
        What is computed in int8; None in fp32.
    """

    def __init__(
        self, network: Network, device: torch.device = _CPU, precision: str = "auto"
    ) -> None:
        del device, precision
        self.description = "OpenVINO, cpu, fp32"
        self.calibration: Calibration | None = None
        self.graph = _convert(network)
        self._compiled: tuple[tuple[int, ...], Compiled] | None = None  # for the last shape

    def logits(self, batch: NDArray[np.float32]) -> Tensor:
        """Return the logits of a batch, fp32, on the CPU."""
        if self._compiled is None or self._compiled[0] != batch.shape:
            self._compiled = batch.shape, self._compile(batch.shape)
        return torch.from_numpy(self._compiled[1](batch)[0])

    def quantise(self, batches: Sequence[NDArray[np.float32]]) -> None:
        """Compute in int8 from now on, calibrated on batches (N, C, *S) of one shape."""
        self.graph.reshape(list(batches[0].shape))
        self._take(quantise(self.graph, batches))

    def stored(self) -> dict[str, NDArray[np.uint8]]:
        """Return the graph as OpenVINO stores it: bytes, by the names of the parts."""
        openvino = import_openvino()
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in _PARTS]
            openvino.save_model(self.graph, paths[0], compress_to_fp16=False)
            return {path.name: np.frombuffer(path.read_bytes(), np.uint8) for path in paths}

    def restore(self, calibration: Calibration) -> None:
        """Compute in int8 from now on, with the graph that `stored` returned."""
        xml, numbers = (calibration.graph[name].tobytes() for name in _PARTS)
        self._take(import_openvino().Core().read_model(xml, numbers))
        self.calibration = calibration

    def _take(self, graph: Any) -> None:  # noqa: ANN401  OpenVINO has no types
        self.graph = graph
        self.description = "OpenVINO, cpu, int8"
        self._compiled = None

    def _compile(self, shape: tuple[int, ...]) -> Compiled:
        self.graph.reshape(list(shape))
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # some processors would take bf16
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        compiled: Compiled = import_openvino().compile_model(self.graph, "CPU", settings)
        return compiled


def import_openvino() -> ModuleType:
    """Import OpenVINO, which is an extra and slow to import, and keep it off the internet."""
    # When imported, openvino reports that to Intel, and nncf each quantisation, through the
    # package openvino_telemetry, which takes a user who was never asked for one who agreed. Where
    # that package cannot be imported both go without; None makes importing it fail.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino  # type: ignore[no-any-return]


def _convert(network: Network) -> Any:  # noqa: ANN401  OpenVINO has no types
    """Convert a network, traced on a small image that fits its layers."""
    import_openvino()
    # The next larger size: networks whose norm needs two positions enlarge the smallest one.
    sizes = (n + s for n, s in zip(network.smallest, network.stride, strict=True))
    example = torch.zeros(1, network.in_channels, *sizes)
    with torch.inference_mode(), warnings.catch_warnings():
        # Sizes that become constants are meant to: those of tiles always fit the layers.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        warnings.filterwarnings("ignore", "`torch.jit", category=FutureWarning)
        try:
            return _convert_by_frontend(network, example)
        except (AttributeError, ImportError, TypeError):  # this version has no such frontend
            return import_openvino().convert_model(network, example_input=example)


def _convert_by_frontend(network: Network, example: Tensor) -> Any:  # noqa: ANN401
    """Convert a network by parts of torch and OpenVINO that are deprecated or not public."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced)  # must outlive the conversion
    return frontend.convert(frontend.load(decoder))
