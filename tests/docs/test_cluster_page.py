"""The commands of the page about several machines, word by word, on this one."""

import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import zarr

from command_line import run as run_command
from unet_napari.images import nuclei

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "cluster.md"


def steps():
    """Return (how, language, text) of each part of the page that is marked to be run."""
    pattern = r"<!-- (run|background) -->\n```(bash|python)\n(.*?)```"
    return re.findall(pattern, PAGE.read_text("utf-8"), re.DOTALL)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def wait_for(port):
    for _ in range(1200):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", int(port))) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the scheduler does not listen")


def do(language, text, capfd):
    """Run a part of the page in this process, which has torch already; return what it says."""
    capfd.readouterr()
    if language == "python":
        Path("script.py").write_text(text)
        runpy.run_path("script.py", run_name="__main__")
    else:
        program, *words = shlex.split(text)
        assert program == "unet-napari"
        assert run_command(*words) == 0
    return capfd.readouterr().err


def test_the_local_commands_make_the_same_labels(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    pixels = nuclei((300, 400), count=120, seed=2)[0]
    zarr.create_array("image.zarr", data=pixels, chunks=(128, 128), dimension_names=["y", "x"])
    port = free_port()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    place = {"env": {**os.environ, "PATH": path}}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    told = []
    with ExitStack() as processes:
        for how, language, text in steps():
            text = text.replace("8786", port)
            if how == "background":
                command = shlex.split(text)
                process = processes.enter_context(subprocess.Popen(command, **place, **quiet))
                processes.callback(process.terminate)
                wait_for(port)
            elif "--workers" in text:  # which starts processes from its own
                done = subprocess.run(shlex.split(text), **place, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
                assert "Warning" not in done.stderr
            else:
                told.append(do(language, text, capfd))
    assert "regions of" in told[0]
    first, by_hand, from_python = (
        zarr.open_array(name)[...]
        for name in ("labels.zarr/0", "by-hand.zarr/0", "from-python.zarr")
    )
    assert first.max() > 60
    np.testing.assert_array_equal(by_hand, first)
    np.testing.assert_array_equal(from_python, first)
