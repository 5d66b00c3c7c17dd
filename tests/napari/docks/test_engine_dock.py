"""Whatever goes wrong in the viewer ends in one message, and in a dock that can be used."""

import threading

import numpy as np
import pytest

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari.engine import ArraysReady, JobCancelled, JobFinished
from unet_napari.inference.progress import Progress


@pytest.fixture
def dock(viewer, job, library):
    library("nuclei")
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    viewer.add_image(np.zeros((20, 30)), name="cells")
    return dock


def broken(*_, **__):
    raise MemoryError("no room")


def usable(dock):
    return dock.run.text == "Segment" and dock.run.enabled and not dock.progress.visible


@pytest.mark.parametrize("where", ["begin", "job.start"])
def test_an_error_before_the_job_is_one_message(dock, client, qtbot, monkeypatch, where):
    with monkeypatch.context() as patch:
        target = dock.job if where == "job.start" else SegmentDock
        patch.setattr(target, where.split(".")[-1], broken)
        dock.run.native.click()
        qtbot.waitUntil(lambda: "MemoryError" in dock.status.value)
    assert usable(dock)
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1)


def test_an_error_at_an_event_stops_the_engine_and_is_told_then(
    dock, viewer, client, qtbot, monkeypatch
):
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    monkeypatch.setattr(SegmentDock, "show_progress", broken)
    client.say(Progress(1, 2, "working"))
    client.say(Progress(1, 2, "working"))
    qtbot.waitUntil(lambda: client.cancelled == 1)
    assert dock.run.text == "Stopping…"
    client.say(JobCancelled())
    qtbot.waitUntil(lambda: usable(dock))
    assert "MemoryError" in dock.status.value
    assert [layer.name for layer in viewer.layers] == ["cells"]


def test_an_error_at_the_result_leaves_a_usable_dock(dock, client, qtbot, monkeypatch):
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    monkeypatch.setattr(SegmentDock, "on_result", broken)
    client.say(ArraysReady(np.zeros((20, 30), np.uint32)))
    client.say(JobFinished({"objects": 0}))
    qtbot.waitUntil(lambda: "MemoryError" in dock.status.value)
    assert usable(dock)


def test_a_stop_before_there_is_a_job_does_not_wait_for_what_prepares_it(
    dock, client, qtbot, monkeypatch
):
    go = threading.Event()
    monkeypatch.setattr(dock.job, "share", lambda *_, **__: go.wait(300))
    dock.run.native.click()
    dock._double_click.stop()
    dock.run.native.click()
    assert usable(dock)
    assert dock.status.value == "Stopped. Nothing was changed."
    go.set()
    monkeypatch.undo()
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1)
