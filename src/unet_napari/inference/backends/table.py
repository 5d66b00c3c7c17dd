"""The table of backends: what can compute a network, and what must be known of it beforehand.

A backend is an entry in this table and a file with its class, see `Backend`. Everything else asks
the table: the settings for the names, the planner for what suits, the docks for the titles.
It is free of torch, because the settings are, too.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unet_napari.errors import ResourceError
from unet_napari.registry import Registry, load_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["BACKEND_ENTRIES", "BackendEntry", "backend_choices", "backend_texts", "find_backend"]


@dataclass(frozen=True, kw_only=True)
class BackendEntry:
    """What must be known of a backend before it is loaded.

    Attributes
    ----------
    name : str
        Name in the settings.
    title : str
        Name for the user.
    implementation : str
        Place of its class, as ``"module:class"``; see `Backend` for what the class must have.
    precisions : tuple of str
        Number formats that it computes in, as in `InferenceConfig`.
    workspace : float
        Bytes that it takes for each byte of features that a rehearsal counts, see
        `unet_napari.inference.planning.cost`; measured.
    packages : tuple of str
        Modules that must be installed for it, besides torch.
    install : str
        Command that installs them.
    operations : float, optional
        Number of floating-point operations from which on ``"auto"`` takes this backend on the
        CPU, in fp32, instead of torch. None if it is taken only where it is asked for.
    streams : bool
        Whether it computes images strip by strip; its class then has the method `stream`.
    """

    name: str
    title: str
    implementation: str
    precisions: tuple[str, ...]
    workspace: float
    packages: tuple[str, ...] = ()
    install: str = ""
    operations: float | None = None
    streams: bool = False

    def __post_init__(self) -> None:
        """Say what an entry lacks when it is written, and not when somebody predicts."""
        if "auto" not in self.precisions:
            raise ValueError(
                f"The backend {self.name!r} lacks the precision 'auto', which is the default: add "
                "it to precisions, and let the class choose the number format then."
            )
        if self.packages and not self.install:
            raise ValueError(
                f"The backend {self.name!r} needs {', '.join(self.packages)}: give the command "
                "that installs them as install."
            )

    @property
    def installed(self) -> bool:
        """Whether its packages are there; they are not imported."""
        return all(importlib.util.find_spec(name) is not None for name in self.packages)

    def load(self) -> Callable[..., Any]:
        """Import the class of the backend.

        Raises
        ------
        ImportError
            If the class is not where the entry says.
        ResourceError
            If a package that it needs is not installed.
        """
        if not self.installed:
            raise ResourceError(
                f"{self.title} is not installed. Install it with: {self.install}, "
                'or choose the backend "torch".'
            )
        loaded: Callable[..., Any] = load_object(self.implementation, f"the backend {self.name!r}")
        return loaded


BACKEND_ENTRIES: Registry[BackendEntry] = Registry(
    "backend",
    [
        BackendEntry(
            name="torch",
            title="PyTorch",
            implementation="unet_napari.inference.backends.torch_backend:TorchBackend",
            precisions=("auto", "fp32", "fp16", "bf16"),
            workspace=1.15,
            streams=True,
        ),
        BackendEntry(
            name="openvino",
            title="OpenVINO",
            implementation="unet_napari.inference.backends.openvino_backend:OpenVinoBackend",
            precisions=("auto", "fp32", "int8"),
            # It uses memory again that torch does not.
            workspace=0.75,
            packages=("openvino",),
            install="pip install openvino",
            # Below, torch is done before OpenVINO has compiled the network.
            operations=5e10,
        ),
    ],
)
"""All backends. The first one computes where no other one suits better."""


def find_backend(precision: str) -> BackendEntry:
    """Return the first backend that computes in a number format."""
    return next(entry for entry in BACKEND_ENTRIES.values() if precision in entry.precisions)


def backend_choices() -> tuple[str, ...]:
    """Return what `InferenceConfig.backend` may be."""
    return ("auto", *BACKEND_ENTRIES)


def backend_texts() -> tuple[tuple[object, str], ...]:
    """Return what the docks call each of `backend_choices`."""
    return ("auto", "automatic"), *((one.name, one.title) for one in BACKEND_ENTRIES.values())
