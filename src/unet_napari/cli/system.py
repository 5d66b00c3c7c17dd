"""What a bug report needs to know of a computer: versions, device, memory. Nothing personal."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from unet_napari.system.text import human_size

__all__ = ["describe_system", "has_display"]

# What decides how a run goes; of the Qt bindings, the installed one.
_PACKAGES = (
    *("unet-napari", "torch", "torchvision", "openvino", "napari", "PyQt6", "PySide6", "magicgui"),
    *("npe2", "numpy", "scipy", "scikit-image", "tifffile", "imagecodecs", "zarr", "dask"),
)


def describe_system() -> str:
    """Describe the computer and the installed packages, in lines of ``name: value``.

    Returns
    -------
    str
        Paths are left out, as they often hold the name of a person.
    """
    lines = {
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "CPU cores": str(os.cpu_count()),
        "Display": "yes" if has_display() else "no",
        **_compute(),
    }
    lines |= {name: found for name in _PACKAGES if (found := _version(name)) is not None}
    return "\n".join(f"{name + ':':<16}{value}" for name, value in lines.items())


def _compute() -> dict[str, str]:
    import torch

    from unet_napari.inference.backends.device_choice import choose_device
    from unet_napari.system.device import available_memory

    def device(ndim: int) -> str:
        chosen = choose_device("auto", ndim)  # warns of a GPU that is not used
        return torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else chosen.type

    return {
        "Device in 2D": device(2),
        "Device in 3D": device(3),
        "Threads": str(torch.get_num_threads()),
        "Free memory": human_size(available_memory(torch.device("cpu"))),
    }


def has_display() -> bool:
    """Tell whether a window can be shown."""
    if platform.system() != "Linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
