"""What may go wrong while an image file is written: nothing is lost or half-written."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import zarr

from unet_napari.errors import OutputError
from unet_napari.images import BoxWriter, check_image_output, open_output, read_image
from written_images import ARRAY, SUFFIXES, write

KILLED = """
import os, signal, sys
from unet_napari.images import open_output
options = {"shape": (99, 99), "dtype": "u1", "axes": "YX", "pixel_size": {}}
with open_output(sys.argv[1], overwrite=True, **options) as out:
    out[:50] = 1
    os.kill(os.getpid(), signal.SIGKILL)
"""


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_an_interrupted_result_leaves_no_trace(tmp_path, suffix, existing, error):
    path = tmp_path / f"a{suffix}"
    if existing:
        write(path)
    before = sorted(tmp_path.rglob("*"))

    def fail():
        with open_output(
            path, shape=(9, 9), dtype="u1", axes="YX", pixel_size={}, overwrite=True
        ) as out:
            out[:5] = 1
            raise error

    with pytest.raises(error):
        fail()
    assert sorted(tmp_path.rglob("*")) == before
    if existing:
        np.testing.assert_array_equal(read_image(path).read()[0], ARRAY)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_saves_at_once_never_mix(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    options = {"shape": (9, 9), "dtype": "u1", "axes": "YX", "pixel_size": {}}
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(open_output(path, overwrite=True, **options))
        second = stack.enter_context(open_output(path, overwrite=True, **options))
        first[:5] = 1
        second[...] = 2
        first[5:] = 1
    assert read_image(path).read().tolist() in ([[[1] * 9] * 9], [[[2] * 9] * 9])
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_a_result_that_appeared_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "a.tif"

    def race():
        with open_output(path, shape=(9, 9), dtype="u1", axes="YX", pixel_size={}):
            write(path)

    with pytest.raises(OutputError, match="exists already"):
        race()
    np.testing.assert_array_equal(read_image(path).read()[0], ARRAY)


def test_only_a_zarr_image_makes_way_for_one(tmp_path):
    precious = tmp_path / "a.zarr"
    precious.mkdir()
    (precious / "thesis.doc").write_text("years of work")
    with pytest.raises(OutputError, match=r"is no \.zarr image; it is left alone"):
        write(precious, overwrite=True)
    (tmp_path / "b.tif").mkdir()
    with pytest.raises(OutputError, match=r"is no \.tif image"):
        write(tmp_path / "b.tif", overwrite=True)
    assert (precious / "thesis.doc").read_text() == "years of work"


@pytest.mark.parametrize("name", ["a.png", "a", "a.npy", "a.tif.gz"])
def test_an_unknown_ending(tmp_path, name):
    with pytest.raises(OutputError, match=r"written as \.tif, \.ome\.tif or \.zarr"):
        check_image_output(tmp_path / name, overwrite=False)


def test_a_missing_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in ("missing", "file"):
        with pytest.raises(OutputError, match=rf"{folder} is not a folder; create it first"):
            check_image_output(tmp_path / folder / "a.tif", overwrite=False)


def test_a_read_only_folder_is_noticed_before_the_work(tmp_path, monkeypatch):
    def deny(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", deny)
    with pytest.raises(OutputError, match=r"a\.tif cannot be written: Permission denied"):
        check_image_output(tmp_path / "a.tif", overwrite=False)


def test_a_name_too_long(tmp_path):
    with pytest.raises(OutputError, match="cannot be written: File name too long"):
        check_image_output(tmp_path / ("x" * 300 + ".tif"), overwrite=False)
    longest = tmp_path / ("x" * 251 + ".tif")
    write(longest)
    assert longest.exists()


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif"])
@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_a_full_disk_is_noticed_when_space_is_reserved(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a{suffix}"
    write(path)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputError, match="cannot be written: No space left"):
        write(path, ARRAY + 1, overwrite=True)
    np.testing.assert_array_equal(read_image(path).read()[0], ARRAY)
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_without_fallocate_the_free_space_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    write(tmp_path / "a.tif")
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"b\.tif cannot be written: No space left"):
        write(tmp_path / "b.tif")
    assert [child.name for child in tmp_path.iterdir()] == ["a.tif"]


def test_a_disk_that_cannot_reserve_space_is_written_all_the_same(tmp_path, monkeypatch):
    def cannot(*args):
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", cannot, raising=False)
    write(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").read()[0], ARRAY)


def test_a_disk_that_fills_up_while_zarr_writes(tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    write(path)
    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(OutputError, match=r"a\.zarr cannot be written: No space left"):
        write(path, ARRAY + 1, overwrite=True)
    np.testing.assert_array_equal(read_image(path).read()[0], ARRAY)
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_an_error_of_the_block_is_not_blamed_on_the_output(tmp_path):
    def fail():
        with open_output(tmp_path / "a.tif", shape=(9, 9), dtype="u1", axes="YX", pixel_size={}):
            raise OSError("the input's drive is gone")

    with pytest.raises(OSError, match="the input's drive") as caught:
        fail()
    assert not isinstance(caught.value, OutputError)


def test_a_zarr_that_cannot_be_put_in_place_gives_way_to_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    write(path)
    rename, failed = type(path).rename, []

    def fail_once(self, target):
        if target == path and not failed:
            failed.append(self)
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(type(path), "rename", fail_once)
    with pytest.raises(OutputError, match=r"The folder .* cannot be written to"):
        write(path, ARRAY + 1, overwrite=True)
    np.testing.assert_array_equal(read_image(path).read()[0], ARRAY)
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_a_killed_process_leaves_the_old_result(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write(path)
    done = subprocess.run([sys.executable, "-c", KILLED, path], check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    np.testing.assert_array_equal(read_image(path).read()[0], ARRAY)


def test_nothing_is_written_after_the_end(tmp_path):
    with open_output(tmp_path / "a.tif", shape=(9, 9), dtype="u1", axes="YX", pixel_size={}) as out:
        assert isinstance(out, BoxWriter)
    with pytest.raises(TypeError):
        out[0, 0] = 1
