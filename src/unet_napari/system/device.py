"""Abilities and free memory of a device, and the errors that mean that its memory ran out."""

from __future__ import annotations

import torch

from unet_napari.system.heap import return_freed_memory
from unet_napari.system.memory import free_memory

__all__ = [
    "available_memory",
    "computes_bfloat16",
    "is_out_of_memory",
    "memory_format",
    "release_memory",
]

# Free memory, in bytes, below which the memory that the last job left in the heap is given back.
_SCARCE_MEMORY = 8 * 2**30

_OUT_OF_MEMORY = (
    "DefaultCPUAllocator: can't allocate",
    "DefaultCPUAllocator: not enough memory",
    "CUDA out of memory",
    "CUDA error: out of memory",  # of the driver, which the allocator does not see
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "DEVICE_ALLOCATION_FAILED",  # of cuDNN 9
    "HOST_ALLOCATION_FAILED",
    "MPS backend out of memory",
    "Invalid buffer size",  # MPS: a single tensor larger than what Metal allows
)


def memory_format(ndim: int, device: torch.device) -> torch.memory_format:
    """Return the best order of pixels and channels in the memory of a device.

    Channels last is 1.3 times as fast in 2D and 1.15 times in 3D on CPUs, and faster on CUDA. On
    Apple's GPUs the gradients of batch norm are wrong with it, or it fails (pytorch issues 175189,
    134580 and 188371), and convolutions are slower (193349).
    """
    if device.type == "mps":
        return torch.contiguous_format
    return {2: torch.channels_last, 3: torch.channels_last_3d}[ndim]


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
    if free < _SCARCE_MEMORY:
        return_freed_memory()
        free = free_memory()
    return free


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception means that memory ran out, and nothing else.

    torch has a type of its own for its allocator on CUDA alone. Everything else raises a plain
    RuntimeError, known by its message.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)


def release_memory(device: torch.device) -> None:
    """Give cached memory back, so that a second try has it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
