"""Files that appear whole, and what processes leave that are killed while they write."""

import os
import signal
import subprocess
import sys

import pytest

from unet_napari.system.atomic import open_atomic

KILLED = """
import os, sys, time
from pathlib import Path
from unet_napari.system.atomic import open_atomic
with open_atomic(Path(sys.argv[1])) as file:
    file.write(b"half of it")
    file.flush()
    print("writing", flush=True)
    time.sleep(600)
"""


def write(path, data=b"all of it"):
    with open_atomic(path) as file:
        file.write(data)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_what_a_killed_process_left_is_removed_by_the_next_save(tmp_path):
    path = tmp_path / "a.unet"
    writer = subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"writing\n"
    [unfinished] = tmp_path.iterdir()
    write(tmp_path / "b.unet")
    assert unfinished.exists()  # its process still runs
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    write(tmp_path / "b.unet")
    assert [item.name for item in tmp_path.iterdir()] == ["b.unet"]


def test_files_of_others_are_left_alone(tmp_path):
    others = [".unet-0123456789abcdef.tmp", ".unet-00000000-999999999-ab.tmp", ".unet-x-y-z.tmp"]
    for name in others:
        (tmp_path / name).touch()
    write(tmp_path / "a.unet")
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted([*others, "a.unet"])
