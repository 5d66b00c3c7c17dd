"""The arrays of layers that are as large as an image."""

import gc
import mmap
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from unet_napari._napari.layers import empty_array
from unet_napari.errors import ResourceError

Usage = namedtuple("Usage", "free")


def test_large_empty_arrays_take_no_room_and_leave_no_file_however_the_program_ends(monkeypatch):
    room = []
    unlink = empty_array.Path.unlink

    def spy(path, *arguments, **options):
        room.append(path.stat().st_blocks * 512)
        unlink(path, *arguments, **options)

    monkeypatch.setattr(empty_array, "_IN_MEMORY", 1000)
    monkeypatch.setattr(empty_array.Path, "unlink", spy)
    array = empty_array.empty_array((64, 1024, 1024), np.uint32)
    assert not empty_array.Path(array.filename).exists()
    assert len(room) == 1
    assert room[0] < 1 << 20
    assert array.shape == (64, 1024, 1024)
    assert not array[63].any()
    array[5, :10, :10] = 7
    assert array[5].sum() == 700


def test_a_coarse_level_of_a_large_array_reads_nothing_around_its_pixels(monkeypatch):
    if not Path("/proc/self/smaps").exists():
        pytest.skip("only Linux says what of a file is in memory")
    monkeypatch.setattr(empty_array, "_IN_MEMORY", 1000)
    array = empty_array.empty_array((8192, 8192), np.uint32)
    assert not array[::128, ::2048].any()
    assert 0 < in_memory(array) <= (64 * 4 + 1) * mmap.PAGESIZE


def in_memory(array):
    """Bytes of a mapped array that the process has pages of."""
    start = array.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
    text = Path("/proc/self/smaps").read_text().split(f"{start:x}-", 1)[1]
    return int(text.split("Rss:", 1)[1].split()[0]) * 1024


def test_what_is_painted_is_found_without_reading_the_rest(monkeypatch):
    monkeypatch.setattr(empty_array, "_IN_MEMORY", 1000)
    array = empty_array.empty_array((64, 4096, 8192), np.uint16)
    array[3, 3000:3050, 7000:7040] = 3
    array[60, 3712:, 7424:] = 9
    painted = empty_array.painted_parts(array)
    assert painted.shape == array.shape
    assert (painted[3, 3000:3050, 7000:7040] == 3).all()
    assert int(np.count_nonzero(painted[3])) == 50 * 40
    assert int(np.count_nonzero(painted[60])) == 384 * 768
    assert list(painted.boxes((4,))) == []
    assert painted.nbytes < 4 << 20
    array[3] = 0
    assert painted[3, 3000, 7000] == 3


def test_of_arrays_in_memory_nothing_is_known():
    assert empty_array.painted_parts(np.zeros((10, 10))) is None
    assert empty_array.painted_parts(empty_array.empty_array((10, 10), np.uint8)) is None


def test_large_empty_arrays_take_their_file_along_where_it_cannot_go_before(monkeypatch):
    unlink = empty_array.Path.unlink
    calls = []

    def windows(path, *arguments, **options):
        calls.append(path)
        if len(calls) == 1:
            raise PermissionError("in use")
        unlink(path, *arguments, **options)

    monkeypatch.setattr(empty_array, "_IN_MEMORY", 1000)
    monkeypatch.setattr(empty_array.Path, "unlink", windows)
    array = empty_array.empty_array((4, 1024, 1024), np.uint32)
    path = empty_array.Path(array.filename)
    assert path.exists()
    del array
    gc.collect()
    assert not path.exists()


def test_a_full_disk_is_an_error_and_not_the_end_of_napari(monkeypatch):
    monkeypatch.setattr(empty_array, "_IN_MEMORY", 1000)
    on_disk = empty_array.empty_array((100, 100), np.uint16)
    in_memory = empty_array.empty_array((10, 10), np.uint16)
    monkeypatch.setattr(empty_array.shutil, "disk_usage", lambda _: Usage(100 << 20))
    empty_array.check_room(on_disk, 30 << 20)
    empty_array.check_room(in_memory, 50 << 20)
    with pytest.raises(ResourceError, match=r"is full.*TMPDIR"):
        empty_array.check_room(on_disk, 50 << 20)
    monkeypatch.setattr(empty_array.shutil, "disk_usage", lambda _: Usage(1 << 20))
    with pytest.raises(ResourceError, match="is full"):
        empty_array.empty_array((100, 100), np.uint16)
    assert not empty_array.empty_array((10, 10), np.uint16).any()


def test_arrays_of_the_engine_have_their_room_even_when_their_folder_is_gone(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    array = np.memmap(folder / "labels", np.uint32, "w+", shape=(10, 10))
    (folder / "labels").unlink()
    folder.rmdir()
    empty_array.check_room(array[2:], 2**60)
