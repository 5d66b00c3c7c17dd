"""Spoilt files are read or refused; and the fuzz would notice if they were not."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from unet_napari.errors import ImageError

SCRIPTS = Path(__file__).parents[1] / "benchmarks" / "fuzz"
linux = pytest.mark.skipif(sys.platform != "linux", reason="the fuzz needs /proc")


@linux
def test_spoilt_files_of_every_kind_are_read_or_refused(tmp_path):
    words = ("--seed", "7", "--cases", "60", "--keep", str(tmp_path / "found"))
    answer = subprocess.run(
        [sys.executable, str(SCRIPTS / "fuzz_readers.py"), *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "'cases': 60" in answer.stdout
    assert not (tmp_path / "found").exists()


@linux
@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ImageError("damaged"), "refused"),
        (KeyError("StripOffsets"), "traceback"),
        (MemoryError(), "allocation"),
        (ImageError("damaged, as room was wanted"), "allocation"),
    ],
)
def test_what_is_found(monkeypatch, tmp_path, error, result):
    specification = importlib.util.spec_from_file_location("worker", SCRIPTS / "fuzz_worker.py")
    worker = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(worker)

    def read(_path):
        if "room" in str(error):
            raise error from MemoryError()
        raise error

    monkeypatch.setattr(worker, "read_image", read)
    assert worker._try("tiff", tmp_path)["result"] == result
