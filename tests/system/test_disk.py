import errno
import os
import shutil

import numpy as np
import pytest

from unet_napari.errors import ResourceError
from unet_napari.inference.storage.scratch import DiskArray
from unet_napari.system.disk import reserve


def cannot(*_):
    raise OSError(errno.EOPNOTSUPP, "not supported")


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def file(tmp_path):
    with (tmp_path / "map").open("w+b") as file:
        yield file


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_a_file_is_as_large_as_asked_and_keeps_what_is_in_it(file, size):
    file.write(b"x" * min(size, 100))
    reserve(file, size)
    assert os.fstat(file.fileno()).st_size == size
    file.seek(0)
    assert file.read(100) == b"x" * min(size, 100)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no way to reserve space")
def test_the_room_is_claimed(file):
    reserve(file, 1 << 20)
    assert os.fstat(file.fileno()).st_blocks * 512 >= 1 << 20


def test_where_room_cannot_be_claimed_there_must_be_enough(file, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", cannot, raising=False)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    reserve(file, 1000)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        reserve(file, 1001)


def test_a_full_disk_is_said_when_maps_are_put_there(file, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(ResourceError, match=r"need 1\.0 MiB of disk: No space left"):
        DiskArray(file, (1024, 1024), np.uint8)
