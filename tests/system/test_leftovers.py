"""Temporary files of processes that have ended go, all others stay."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from unet_napari.system.leftovers import remove_leftovers, remove_with, temporary_prefix


@pytest.fixture(scope="module")
def ended():
    """Return the id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def make(path, *, days=2.0):
    """Make a folder with a file in it, last used some days ago."""
    path.mkdir()
    (path / "array.npy").write_bytes(b"1")
    for entry in (path / "array.npy", path):
        os.utime(entry, (entry.stat().st_mtime - days * 86400,) * 2)
    return path


def test_what_ended_processes_left_goes_and_all_else_stays(tmp_path, ended):
    left = make(tmp_path / f"unet-napari-{ended}-abc")
    file = tmp_path / f"unet-napari-{ended}-abc.npy"
    file.write_bytes(b"1")
    os.utime(file, (0, 0))
    kept = [
        make(tmp_path / f"{temporary_prefix()}abc"),  # of a running process
        make(tmp_path / f"unet-napari-{ended}-new", days=0.1),  # perhaps of another container
        make(tmp_path / "unet-napari-results"),  # the user's own
        make(tmp_path / f"other-{ended}-abc"),
    ]
    used = make(tmp_path / f"unet-napari-{ended}-used")
    (used / "array.npy").write_bytes(b"2")
    remove_leftovers([tmp_path])
    assert not left.exists()
    assert not file.exists()
    assert all((path / "array.npy").exists() for path in (*kept, used))


def test_a_folder_that_is_not_there_is_none_to_look_through(tmp_path):
    remove_leftovers([tmp_path / "none"])


def test_where_an_open_file_cannot_be_removed_it_goes_with_its_map(tmp_path, monkeypatch):
    path = tmp_path / "labels.npy"
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(8,))
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", _refuse)
    remove_with(array, path)
    monkeypatch.setattr(Path, "unlink", unlink)
    view = array[2:5]
    del array
    gc.collect()
    assert path.exists()  # the view is in use
    del view
    gc.collect()
    assert not path.exists()


def _refuse(*_, **__):
    raise PermissionError("the file is used by another process")
