"""What takes long at its first use, done beforehand and beside the viewer."""

import importlib
from contextlib import suppress
from types import ModuleType
from typing import Any

from unet_napari.system.leftovers import remove_leftovers

__all__ = ["warm_up_viewer"]

# Labels as napari hands them to its loop: the empty ones of a new layer, a slice, and a slice of
# a coarser level, which skips pixels.
_SIGNATURES = (
    "(uint32[::1], int64, int64, uint8[::1])",
    "(uint32[:,::1], int64, int64, uint8[:,::1])",
    "(uint32[:,:], int64, int64, uint8[:,::1])",
)
# What the docks import only where they use it, so that they open at once.
_OUR_MODULES = ("scipy.ndimage", "skimage.measure", "skimage.draw", "dask.array")


def warm_up_viewer() -> None:
    """Import what the docks use, and compile what napari needs for 32-bit labels; for a thread.

    First it removes temporary files that killed programs have left.

    In Qt's thread it would hold up the viewer for three to five seconds. It makes no layer, as that
    must not happen outside Qt's thread, and runs nothing compiled, as numba's threads may not be
    shared.
    """
    remove_leftovers()
    for name in (*_OUR_MODULES, "pandas", "numba"):
        with suppress(ImportError):  # napari does without the last two
            importlib.import_module(name)
    with suppress(ImportError):
        _compile(importlib.import_module("napari.utils.colormaps._accelerated_cmap"))


def _compile(colormaps: ModuleType) -> None:
    """Compile the loop that turns ids into colours, if this version of napari has it."""
    loop: Any = getattr(colormaps, "_zero_preserving_modulo_inner_loop", None)
    if hasattr(loop, "compile"):  # a plain function where there is no numba
        for signature in _SIGNATURES:
            loop.compile(signature)
