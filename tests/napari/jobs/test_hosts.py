"""The docks let another computer compute, and say what has become of the connection."""

import os

import numpy as np
import pytest

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.jobs.job import Job
from unet_napari.engine import ConnectionChanged, JobCancelled
from unet_napari.engine.remote.host import RemoteHost
from unet_napari.inference.progress import Progress


@pytest.fixture
def dock(viewer, job, library):
    library("nuclei")
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    viewer.add_image(np.zeros((20, 30)), name="cells")
    return dock


@pytest.fixture
def moves(client):
    moves = []
    client.move_to = moves.append
    return moves


def test_the_computer_that_is_typed_gets_the_next_job_and_this_one_again_the_one_after(
    dock, client, moves, qtbot
):
    dock.host.value, dock.host_python.value = "me@server", "~/unet/bin/python"
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1)
    assert moves == [RemoteHost("me@server", "~/unet/bin/python")]
    client.say(JobCancelled())
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    dock.host.value = ""
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 2)
    assert moves[1:] == [None]


def test_what_is_no_host_is_one_message_and_no_job(dock, client, moves):
    dock.host.value = "-oProxyCommand=x"
    dock.run.native.click()
    assert dock.status.is_error
    assert "is no host" in dock.status.value
    assert (dock.run.text, client.jobs, moves) == ("Segment", [], [])


def test_a_lost_connection_is_said_until_the_engine_is_heard_again(dock, client, moves, qtbot):
    dock.host.value = "server"
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1)
    client.say(ConnectionChanged(lost=True, message="The connection to server is lost."))
    qtbot.waitUntil(lambda: dock.status.value == "The connection to server is lost.")
    assert dock.status.is_error
    client.say(Progress(1, 2, "predicting"))
    qtbot.waitUntil(lambda: "redicting" in dock.status.value)
    assert not dock.status.is_error


def test_both_docks_offer_the_hosts_of_openssh(viewer, job, tmp_path, monkeypatch):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host gpu *.lab\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for dock in (SegmentDock(viewer, job), TrainDock(viewer, job)):
        completer = dock.host.native.completer()
        assert [completer.model().data(completer.model().index(0, 0))] == ["gpu"]
        assert completer.model().rowCount() == 1


def test_a_host_that_cannot_be_reached_is_told_in_the_dock(
    viewer, library, qapp, qtbot, tmp_path, monkeypatch
):
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho 'ssh: connect to host: Connection refused' >&2; exit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    library("nuclei")
    job = Job()
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    viewer.add_image(np.zeros((20, 30)), name="cells")
    dock.host.value = "server"
    dock.run.native.click()
    qtbot.waitUntil(lambda: dock.status.is_error)
    assert "server cannot be reached: check its name" in dock.status.value
    assert dock.run.text == "Segment"
    job.close()
