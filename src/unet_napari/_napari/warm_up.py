"""What napari does at its first 32-bit labels, done beforehand and beside the viewer."""

import importlib
from contextlib import suppress
from types import ModuleType
from typing import Any

__all__ = ["warm_up"]

# Labels as napari hands them to its loop: the empty ones of a new layer, and a slice.
_SIGNATURES = (
    "(uint32[::1], int64, int64, uint8[::1])",
    "(uint32[:,::1], int64, int64, uint8[:,::1])",
)


def warm_up() -> None:
    """Import and compile what napari needs for its first 32-bit labels; meant for a thread.

    It would hold up the viewer for two to four seconds. No layer is made, as that must not
    happen outside Qt's thread, and nothing compiled is run, as numba's threads may not be shared.
    """
    for name in ("pandas", "numba"):
        with suppress(ImportError):  # napari does without them
            importlib.import_module(name)
    with suppress(ImportError):
        _compile(importlib.import_module("napari.utils.colormaps._accelerated_cmap"))


def _compile(colormaps: ModuleType) -> None:
    """Compile the loop that turns ids into colours, if this version of napari has it."""
    loop: Any = getattr(colormaps, "_zero_preserving_modulo_inner_loop", None)
    if hasattr(loop, "compile"):  # a plain function where there is no numba
        for signature in _SIGNATURES:
            loop.compile(signature)
