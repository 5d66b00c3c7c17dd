"""The engine over a real server of OpenSSH on 127.0.0.1, and what its page tells to type."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from command_line import run as run_command
from engine_jobs import WAIT
from ssh_server import reason_for_none
from unet_napari import segment, train
from unet_napari.engine import EngineClient, JobFailed, JobFinished
from unet_napari.engine.remote.host import RemoteHost
from unet_napari.images import nuclei, read_image
from unet_napari.model.info import read_info
from unet_napari.training import Step

pytestmark = pytest.mark.skipif(bool(reason_for_none()), reason=reason_for_none())

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "remote.md"


@pytest.fixture(autouse=True)
def _on_path(server, monkeypatch):
    server.put_on_path(monkeypatch)


@pytest.fixture
def over_ssh(jobs, server):
    """Run a job on the server, and return how it ended."""

    def over_ssh(job, python=server.python, address="server"):
        ends = []
        with EngineClient(jobs=jobs.__name__, host=RemoteHost(address, python)) as client:
            assert client.submit(job, ends.append).wait(WAIT)
        return ends[-1]

    return over_ssh


def test_a_job_runs_over_ssh(jobs, over_ssh):
    assert over_ssh(jobs.Count(total=2)) == JobFinished({"counted": 2})


def test_a_key_that_is_not_taken_is_one_message(jobs, server, over_ssh):
    config = server.folder / "config"
    text = config.read_text()
    config.write_text(text.replace("/key\n", "/other_key\n"))
    try:
        failed = over_ssh(jobs.Count(total=1))
    finally:
        config.write_text(text)
    assert isinstance(failed, JobFailed)
    assert "server does not accept your key, and no password is asked for" in failed.message


def test_a_server_whose_key_is_not_known_is_not_trusted(jobs, server, over_ssh):
    known = server.folder / "known_hosts"
    text = known.read_text()
    known.write_text("")
    try:
        failed = over_ssh(jobs.Count(total=1))
        assert known.read_text() == ""
    finally:
        known.write_text(text)
    assert "The key of server is not known yet: run 'ssh server' once" in failed.message


def test_a_server_whose_key_has_changed_is_not_trusted(jobs, server, over_ssh):
    known = server.folder / "known_hosts"
    text = known.read_text()
    other = (server.folder / "other_key.pub").read_text().split()[1]
    known.write_text(f"{' '.join(text.split()[:2])} {other}\n")
    try:
        failed = over_ssh(jobs.Count(total=1))
    finally:
        known.write_text(text)
    assert "is another one than before" in failed.message


@pytest.mark.parametrize(
    ("python", "address", "expected"),
    [
        ("/nowhere/python", "server", "There is no '/nowhere/python' on server"),
        ("python", "nobody@127.0.0.1", "127.0.0.1 cannot be reached"),
        (f"{sys.executable} -S", "server", "has no unet-napari"),
    ],
)
def test_what_is_not_there_is_one_message(jobs, server, over_ssh, python, address, expected):
    if address != "server":
        with (server.folder / "config").open("a") as config:
            config.write("Host 127.0.0.1\n  Port 1\n")
    if python.endswith("-S"):
        python = f"env PYTHONPATH= {python}"
    assert expected in over_ssh(jobs.Count(total=1), python, address).message


def test_python_trains_and_segments_there(server, tmp_path):
    image, labels = nuclei((96, 128), count=40, seed=1)
    host = RemoteHost("server", server.python)
    events = []
    settings = {"patch": (32, 32), "batch": 2, "network_options": {"features": [4, 8]}, "steps": 8}
    model = train(
        image, labels, start_from=None, state=tmp_path / "my.state", on_event=events.append,
        host=host, device="cpu", **settings,
    )  # fmt: skip
    assert model.provenance["step"] <= 8
    assert any(isinstance(event, Step) for event in events)
    assert (tmp_path / "my.state").is_file()
    options = {"backend": "torch", "device": "cpu"}
    there = segment(image, model, host=host, thresholds={"min_size": 3}, **options)
    here = segment(image, model, thresholds={"min_size": 3}, **options)
    np.testing.assert_array_equal(there, here)


def test_the_commands_of_the_page_do_what_it_says(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image, labels = nuclei((96, 128), count=40, seed=1)
    tifffile.imwrite("cells.tif", image)
    tifffile.imwrite("painted.tif", labels)
    page = PAGE.read_text("utf-8").replace("me@server", "server")
    [log_in] = re.findall(r"^ +(ssh server true)$", page, re.MULTILINE)
    subprocess.run(log_in.split(), check=True)
    commands = re.findall(r"^unet-napari .*", page, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command)
        given = [server.python if word == "~/unet/bin/python" else word for word in words[1:]]
        assert run_command(*given) == 0
    assert read_image("labels.tif").data[...].max() > 5
    assert read_info("cells.unet").name == "cells"
    assert Path("cells.state").is_file()
