"""How much memory is free, where a limit says so."""

import subprocess
import sys

import pytest
import torch

from unet_napari.device import available_memory

PROGRAM = """
import resource, torch
from unet_napari.device import available_memory
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
