"""A model file is written whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from unet_napari.errors import OutputError
from unet_napari.model import file as file_module
from unet_napari.model.file import open_model_file, write_model_file
from unet_napari.system.atomic import check_output

DESCRIPTION = "the old one"
WEIGHTS = {"a": np.arange(5, dtype=np.float32)}


def read_all(path):
    with open_model_file(path) as file:
        return file.description(), file.weights()


def assert_same(found):
    assert found[0] == DESCRIPTION
    np.testing.assert_array_equal(found[1]["a"], WEIGHTS["a"])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.unet"
    write_model_file(path, DESCRIPTION, WEIGHTS)
    return path


def fail_with(code):
    def fail(*arguments, **more):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("module", [os, file_module])
def test_a_full_disk_leaves_the_previous_file(path, monkeypatch, module):
    name = "fsync" if module is os else "write_tensors"
    monkeypatch.setattr(module, name, fail_with(errno.ENOSPC))
    with pytest.raises(OutputError, match="disk is full"):
        write_model_file(path, "new", {})
    assert_same(read_all(path))
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_is_said_before(path, monkeypatch, tmp_path):
    with pytest.raises(OutputError, match="exists already"):
        check_output(path, overwrite=False)
    with pytest.raises(OutputError, match="does not exist"):
        check_output(tmp_path / "absent" / "a.unet", overwrite=True)
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path, overwrite=True)
    with pytest.raises(OutputError, match="null character"):
        check_output(tmp_path / "a\0b", overwrite=True)
    for code in (errno.EACCES, errno.EROFS):
        monkeypatch.setattr(Path, "open", fail_with(code))
        with pytest.raises(OutputError, match="cannot be written to"):
            check_output(path, overwrite=True)


def test_checking_leaves_nothing(path):
    check_output(path, overwrite=True)
    check_output(path.with_name("new.unet"), overwrite=False)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["mit Leerzeichen.unet", "Zellkerne β 細胞核.unet", "n" * 200])
def test_any_name_that_the_system_allows(tmp_path, name):
    write_model_file(tmp_path / name, DESCRIPTION, WEIGHTS)
    assert_same(read_all(tmp_path / name))


def test_saves_at_once_never_mix(tmp_path):
    path = tmp_path / "shared.unet"

    def write(n):
        write_model_file(path, str(n) * 50, {"n": np.full(200_000, n, np.uint8)})

    def check():
        description, weights = read_all(path)
        np.testing.assert_array_equal(weights["n"], int(description[0]))

    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(write, [*range(8)] * 4):
            check()
    check()
    assert list(tmp_path.iterdir()) == [path]


SAVE_FOREVER = """
    import sys
    from pathlib import Path
    import numpy as np
    from unet_napari.model.file import write_model_file

    path = Path(sys.argv[1])
    for n in range(10**9):
        write_model_file(path, str(n), {"n": np.full(300_000, n, np.int64)})
        if n == 0:
            print("saving", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("delay", [0.003, 0.011, 0.029])
def test_a_killed_save_leaves_the_old_or_the_new_file(tmp_path, delay):
    path = tmp_path / "model.unet"
    command = [sys.executable, "-c", textwrap.dedent(SAVE_FOREVER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(delay)
        process.send_signal(signal.SIGKILL)
    description, weights = read_all(path)
    np.testing.assert_array_equal(weights["n"], np.full(300_000, int(description)))
