"""Freed memory is used again, and returned at the end."""

import json
import platform
import subprocess
import sys

import pytest

from unet_napari import heap

PROGRAM = """
import json, resource
from pathlib import Path
from unet_napari.heap import keep_freed_memory

def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"1" * 2**26  # not by NumPy, which takes huge pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = pages()
outside = [faults() for _ in range(3)]
with keep_freed_memory():
    inside = [faults() for _ in range(3)]
    kept = pages() - before
print(json.dumps([outside, inside, kept, pages() - before]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries need no help")
def test_memory_is_fetched_from_the_system_once_and_returned_at_the_end():
    answer = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True)
    outside, inside, kept, left = json.loads(answer.stdout)
    pages = 64 * 2**20 // 4096
    assert min(outside) > pages // 2
    assert max(inside[1:]) < pages // 100
    assert kept > pages // 2
    assert left < pages // 4


def test_nothing_happens_with_another_c_library(monkeypatch):
    monkeypatch.setattr(heap, "_glibc", lambda: None)
    with heap.keep_freed_memory():
        assert len(bytes(10)) == 10
