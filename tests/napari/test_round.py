"""The second round in a real window with a real engine: live, killed, opened, gone on with."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from unet_napari.engine import PaintTaken
from unet_napari.images.synthetic import nuclei

PATIENCE = 300_000  # milliseconds; importing torch on a busy machine takes most of it

# A napari of its own, which is killed: it trains live, paints, and says when the stroke is kept.
PROGRAM = """
import os, sys, time
import numpy as np
from qtpy.QtWidgets import QApplication
import napari
from unet_napari.engine import PaintTaken
from unet_napari.images.synthetic import nuclei

image, labels = nuclei((96, 128), count=12, seed=3)
viewer = napari.Viewer(show=False)
viewer.add_image(image, name="nuclei")
paint = viewer.add_labels(np.where(np.arange(96)[:, None] < 60, labels, 0).astype(np.uint16))
_, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
taken = []
dock.job.reported.connect(lambda event: isinstance(event, PaintTaken) and taken.append(event))

def wait(done):
    end = time.monotonic() + 280
    while not done():
        assert time.monotonic() < end, dock.status.value
        QApplication.processEvents()
        time.sleep(0.01)

dock.run.native.click()
wait(lambda: len(dock.plot.loss.points) > 3)
paint.paint((80, 100), 77)
wait(lambda: taken)
state = os.path.join(os.environ["UNET_NAPARI_MODELS"], "nuclei cells.state")
before = time.time()
wait(lambda: os.path.exists(state) and os.path.getmtime(state) > before)
print("KEPT", len(dock.plot.loss.points), dock.job.pid, flush=True)
wait(lambda: False)
"""


@pytest.fixture
def dock(viewer):
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
    return dock


@pytest.fixture
def small(viewer):
    """An image of a dozen nuclei, and labels of most of them."""
    image, labels = nuclei((96, 128), count=12, seed=3)
    labels = np.where(np.arange(96)[:, None] < 60, labels, 0).astype(np.uint16)
    return viewer.add_image(image, name="nuclei"), viewer.add_labels(labels, name="paint")


def learning(dock, qtbot, more_than=3):
    qtbot.waitUntil(lambda: len(dock.plot.loss.points) > more_than, timeout=PATIENCE)


def press(dock):
    dock._double_click.stop()
    dock.run.native.click()


def test_strokes_join_stop_keeps_and_continue_goes_on(viewer, dock, small, qtbot):
    _, paint = small
    taken, events = [], []
    dock.job.reported.connect(events.append)
    press(dock)
    learning(dock, qtbot)
    first = dock.plot.loss.points[0]
    paint.paint((80, 100), 77)
    qtbot.waitUntil(lambda: "your stroke" in dock.status.value, timeout=5000)
    taken = lambda: [one for one in events if isinstance(one, PaintTaken)]  # noqa: E731
    qtbot.waitUntil(lambda: bool(taken()), timeout=PATIENCE)
    assert taken()[-1].training > 0
    press(dock)
    qtbot.waitUntil(lambda: not dock.busy, timeout=PATIENCE)
    assert "saved" in dock.status.value
    qtbot.waitUntil(lambda: dock.run.text == "Continue")
    steps = dock.plot.loss.points[-1][0]

    paint.undo()
    press(dock)  # the second click of the round
    learning(dock, qtbot, len(dock.plot.loss.points))
    qtbot.waitUntil(lambda: dock.plot.loss.points[-1][0] > steps, timeout=PATIENCE)
    assert dock.plot.loss.points[0] == first

    os.kill(dock.job.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: not dock.busy, timeout=PATIENCE)
    assert "killed" in dock.status.value
    qtbot.waitUntil(lambda: dock.run.text == "Continue")
    paint.paint((80, 20), 78)  # while the engine starts again
    press(dock)
    learning(dock, qtbot, len(dock.plot.loss.points))
    press(dock)
    qtbot.waitUntil(lambda: not dock.busy, timeout=PATIENCE)
    assert not dock.status.is_error


def test_after_a_killed_napari_one_click_goes_on(viewer, dock, models_folder, qtbot):
    models_folder.mkdir(exist_ok=True)
    environment = {**os.environ, "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "")}
    if not environment["QT_QPA_PLATFORM"]:
        del environment["QT_QPA_PLATFORM"]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, env=environment, text=True
    ) as napari:
        said = next((line for line in napari.stdout if line.startswith("KEPT")), "")
        napari.send_signal(signal.SIGKILL)
    assert said.startswith("KEPT")
    points, engine = map(int, said.split()[1:])
    end = time.monotonic() + 20
    while Path(f"/proc/{engine}").exists() and time.monotonic() < end:
        time.sleep(0.1)

    viewer.add_image(nuclei((96, 128), count=12, seed=3)[0], name="nuclei")
    qtbot.waitUntil(lambda: dock.run.text == "Continue", timeout=PATIENCE)
    assert dock.labels.value is None
    press(dock)
    qtbot.waitUntil(lambda: dock.labels.value is not None, timeout=PATIENCE)
    assert dock.labels.value.data[80, 100] == 77
    assert len(dock.plot.loss.points) >= points // 2  # the curve is there at once
    learning(dock, qtbot, len(dock.plot.loss.points))
    press(dock)
    qtbot.waitUntil(lambda: not dock.busy, timeout=PATIENCE)
    assert "Model 'nuclei cells' saved" in dock.status.value
