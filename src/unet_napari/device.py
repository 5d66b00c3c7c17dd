"""Which device computes, how much memory it has left, and what running out of it looks like."""

from __future__ import annotations

import warnings

import torch

from unet_napari.errors import UnetNapariWarning
from unet_napari.free_memory import free_memory
from unet_napari.heap import return_freed_memory

__all__ = [
    "available_memory",
    "choose_device",
    "computes_bfloat16",
    "is_out_of_memory",
    "release_memory",
]

# With less than this, what the last job left in the heap counts.
_SCARCE = 8 * 2**30


def choose_device(wanted: str) -> torch.device:
    """Return the device to compute on.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda", "mps"}
        ``"auto"`` takes the first there is of cuda, mps and cpu.

    Returns
    -------
    torch.device
        The CPU, after a `UnetNapariWarning`, where the wanted device is not there.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return torch.device(next(name for name, available in there.items() if available))
    if not there[wanted]:
        warnings.warn(
            f"There is no {wanted} device on this computer that torch can use; "
            "the CPU computes instead, which takes longer.",
            UnetNapariWarning,
            stacklevel=2,
        )
        return torch.device("cpu")
    return torch.device(wanted)


def computes_bfloat16(device: torch.device) -> bool:
    """Tell whether a device has instructions for bfloat16, rather than imitating it slowly."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    # Older versions of torch do not tell what a CPU can do.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(
        capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16")
    )


def available_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device, as far as the system tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = free_memory()
    if free < _SCARCE:
        return_freed_memory()
        free = free_memory()
    return free


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception means that memory ran out, and nothing else.

    torch's allocator for the CPU raises a plain RuntimeError, known by its message alone.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator: can't allocate" in text
        or "DefaultCPUAllocator: not enough memory" in text
        or "MPS backend out of memory" in text
    )


def release_memory(device: torch.device) -> None:
    """Give cached memory back, so that a second try has it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
