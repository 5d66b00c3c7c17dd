"""What a backend is: something that computes a network, such as torch or OpenVINO.

A backend is made once per prediction and then called with one batch after the other. Adding one
means writing a class with the members of `Backend`, and an entry in
`unet_napari.inference.backends.table`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from unet_napari.inference.backends.table import BACKEND_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.inference.backends.calibration import Calibration
    from unet_napari.inference.streaming.stream import Stream
    from unet_napari.networks import Network

__all__ = ["Backend", "Quantisable", "Streaming", "make_backend"]


class Backend(Protocol):
    """A network made ready to predict.

    A class of this kind is called with three arguments: a `Network` in evaluation mode with its
    batch norm folded, which it leaves as it is; the `torch.device` of the plan; and the precision
    of the settings.
    """

    description: str
    """What computes, in words for the user."""

    def logits(self, batch: NDArray[np.float32]) -> Tensor:
        """Return the logits (N, K, *S) of normalised images (N, C, *S), on any device."""


@runtime_checkable
class Streaming(Protocol):
    """A backend that computes images strip by strip, too."""

    def stream(self, shape: tuple[int, ...], strip: int) -> Stream:
        """Return what computes images of a shape (1, C, *S), `strip` rows at a time."""


@runtime_checkable
class Quantisable(Protocol):
    """A backend that can change from fp32 to int8."""

    calibration: Calibration | None
    """What it computes in int8; None while it computes in fp32."""

    def logits(self, batch: NDArray[np.float32]) -> Tensor:
        """Return the logits of a batch."""

    def quantise(self, batches: Sequence[NDArray[np.float32]]) -> None:
        """Compute in int8 from now on, calibrated on batches (N, C, *S) of one shape."""

    def stored(self) -> dict[str, NDArray[np.uint8]]:
        """Return the network in int8 as bytes, in parts with names."""

    def restore(self, calibration: Calibration) -> None:
        """Compute in int8 from now on, as the backend that stored this did."""


def make_backend(network: Network, name: str, device: torch.device, precision: str) -> Backend:
    """Make a network ready to predict.

    Parameters
    ----------
    network : Network
        Network in evaluation mode, best with its batch norm folded. It is left as it is.
    name : str
        Name of the backend in the table.
    device : torch.device
        Device on which torch computes; OpenVINO uses the CPU.
    precision : {"auto", "fp32", "fp16", "bf16", "int8"}
        Number format. A backend that computes in int8 begins in fp32, see `Quantisable`.

    Raises
    ------
    ResourceError
        If the backend is not installed.
    """
    made: Backend = BACKEND_ENTRIES[name].load()(network, device, precision)
    return made
