"""Which device computes, how much memory it has left, and what running out of it looks like."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import torch

from unet_napari.errors import UnetNapariWarning
from unet_napari.heap import return_freed_memory

__all__ = [
    "available_memory",
    "choose_device",
    "computes_bfloat16",
    "is_out_of_memory",
    "release_memory",
]

# Where the system does not say how much is free: little enough for any laptop of today.
_UNKNOWN = 2 * 2**30
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
    free = _free_on_cpu()
    if free < _SCARCE:
        return_freed_memory()
        free = _free_on_cpu()
    return free


def _free_on_cpu() -> int:
    return min([_free_of_system(), *_free_of_container(), *_free_of_limits()])


def _free_of_system() -> int:
    if sys.platform == "linux":
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        # Half of what is built in, where nothing tells what is in use (macOS).
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return _UNKNOWN


def _free_of_container() -> list[int]:
    """Return what the limit of the container or job leaves (cgroup 2), if there is one."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
    except OSError:
        return []
    return [] if limit == "max" else [max(int(limit) - used, 0)]


def _free_of_limits() -> list[int]:
    """Return what the limits of the process leave, as set by ``ulimit``."""
    if sys.platform != "linux":
        return []
    import resource

    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    limits = [(resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")]
    return [
        max(resource.getrlimit(limit)[0] - 1024 * int(status[used].split()[0]), 0)
        for limit, used in limits
        if resource.getrlimit(limit)[0] != resource.RLIM_INFINITY
    ]


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
