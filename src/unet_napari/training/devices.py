"""The device that trains, its memory, and what an out-of-memory error looks like."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch

from unet_napari.errors import UnetNapariWarning
from unet_napari.training.config import DeviceName

__all__ = ["choose_device", "free_memory", "is_out_of_memory", "release_memory"]


def choose_device(name: DeviceName) -> torch.device:
    """Return the device asked for, or the CPU with a warning where it is not there."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, found in there.items() if found))
    if not there[name]:
        warnings.warn(
            f"There is no {name} device that PyTorch can use; the CPU is used instead.",
            UnetNapariWarning,
            stacklevel=3,
        )
        return torch.device("cpu")
    return torch.device(name)


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf"):  # macOS says how much there is, not how much is free
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return 4 * 2**30


def is_out_of_memory(error: BaseException) -> bool:
    """Tell an out-of-memory error from the other errors of the same type."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator: can't allocate memory" in text
        or "DefaultCPUAllocator: not enough memory" in text
        or "MPS backend out of memory" in text
    )


def release_memory(device: torch.device) -> None:
    """Give cached memory back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
