"""Freed memory is used again, and returned when nobody needs it any more."""

import json
import platform
import subprocess
import sys

import pytest

from unet_napari.system import heap

PROGRAM = """
import json, resource, time
from pathlib import Path
from unet_napari.system import heap
from unet_napari.system.heap import keep_freed_memory

heap._IDLE_SECONDS = 0.5

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
    with keep_freed_memory():
        pass
again = faults()
kept = pages() - before
limit = time.monotonic() + 20
while pages() - before > kept / 4 and time.monotonic() < limit:
    time.sleep(0.05)
print(json.dumps([outside, [*inside, again], kept, pages() - before]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries need no help")
def test_memory_is_fetched_from_the_system_once_and_returned_when_idle():
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


def test_where_no_thread_can_be_made_memory_returns_at_once_and_the_error_stays(monkeypatch):
    def refuse(_self):
        raise RuntimeError("can't start new thread")

    trimmed = []
    monkeypatch.setattr(heap.threading.Timer, "start", refuse)
    monkeypatch.setattr(heap, "_trim", trimmed.append)
    monkeypatch.setattr(heap, "_glibc", Library)
    heap._heap.cache_clear()
    with pytest.raises(MemoryError, match="the real one"), heap.keep_freed_memory():
        raise MemoryError("the real one")
    heap._heap.cache_clear()
    assert len(trimmed) == 1


class Library:
    def mallopt(self, name, value):
        assert name < 0 < value
