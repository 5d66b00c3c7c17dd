"""What devices can do, how much memory is free, and what running out of it looks like."""

import platform
import subprocess
import sys

import pytest
import torch

from unet_napari.system.device import (
    available_memory,
    computes_bfloat16,
    is_out_of_memory,
    memory_format,
)

PROGRAM = """
import resource, torch
from unet_napari.system.device import available_memory
resource.setrlimit(resource.RLIMIT_{limit}, ({size}, {size}))
print(available_memory(torch.device("cpu")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
@pytest.mark.parametrize("limit", ["AS", "DATA"])
def test_a_limit_of_the_process_is_kept(limit):
    size = 16 * 2**30
    program = PROGRAM.format(limit=limit, size=size)
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    free = int(answer.stdout)
    unlimited = available_memory(torch.device("cpu"))
    assert 0 < free < size - 100 * 2**20  # what torch takes counts
    assert free <= unlimited + 2**30


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep nothing")
def test_what_the_last_job_left_in_the_heap_is_free_where_memory_is_scarce():
    program = """
import resource, torch
from unet_napari.system.device import available_memory
from unet_napari.system.heap import keep_freed_memory
resource.setrlimit(resource.RLIMIT_DATA, (6 * 2**30, 6 * 2**30))
cpu = torch.device("cpu")
before = available_memory(cpu)
with keep_freed_memory():
    bytes(2**29 - 1) + b"1"
print(before - available_memory(cpu))
"""
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert int(answer.stdout) < 2**27


@pytest.mark.parametrize(("capability", "able"), [((8, 0), True), ((7, 5), False)])
def test_a_cuda_device_computes_bf16_from_ampere_on(monkeypatch, capability, able):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert computes_bfloat16(torch.device("cuda")) is able


@pytest.mark.parametrize(
    ("capabilities", "able"),
    [
        ({"avx512_f": True, "avx512_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_f": True}, False),  # would imitate it, and slowly
    ],
)
def test_a_cpu_computes_bf16_with_its_instructions_alone(monkeypatch, capabilities, able):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert computes_bfloat16(torch.device("cpu")) is able
    assert not computes_bfloat16(torch.device("mps"))


def test_a_torch_that_does_not_know_its_cpu_computes_in_fp32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not computes_bfloat16(torch.device("cpu"))


@pytest.mark.parametrize("ndim", [2, 3])
def test_apple_gpus_get_contiguous_memory(ndim):
    last = {2: torch.channels_last, 3: torch.channels_last_3d}[ndim]
    assert memory_format(ndim, torch.device("mps")) is torch.contiguous_format
    assert memory_format(ndim, torch.device("cpu")) is last
    assert memory_format(ndim, torch.device("cuda")) is last


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        getattr(torch, "AcceleratorError", RuntimeError)("CUDA error: out of memory\nCUDA kernel"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8 GB, max allowed: 9 GB)."),
        RuntimeError("Invalid buffer size: 24.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_memory_that_ran_out_is_recognised_on_every_device(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("shape '[4, 3]' is invalid for input of size 8"),
        ValueError("CUDA error: out of memory"),
    ],
)
def test_other_errors_are_not_taken_for_memory_that_ran_out(error):
    assert not is_out_of_memory(error)
