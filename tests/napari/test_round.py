"""The second round in a real window with a real engine: live, killed, opened, gone on with."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from unet_napari._napari.layers.background_paint import background_number
from unet_napari.engine import PaintTaken
from unet_napari.images.synthetic import nuclei

PATIENCE = 300_000  # milliseconds; importing torch on a busy machine takes most of it

# A napari of its own, which is killed: it trains live, corrects what is predicted, and is stopped.
PROGRAM = """
import os, sys, time
import numpy as np
from qtpy.QtWidgets import QApplication
import napari
from unet_napari._napari.layers.background_paint import background_number
from unet_napari.engine import PaintTaken
from unet_napari.images.synthetic import nuclei

image, truth = nuclei((192, 192), count=40, seed=3)
viewer = napari.Viewer(show=False)
viewer.add_image(image, name="nuclei")
first = np.where(truth <= 12, truth, 0).astype(np.uint16)
paint = viewer.add_labels(first.copy(), name="paint")
_, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
taken, sent, tell = [], [], dock.job.tell
dock.job.reported.connect(lambda e: isinstance(e, PaintTaken) and taken.append(e.number))
dock.job.tell = lambda command: (tell(command), sent.append(getattr(command, "number", 0)))

def wait(done):
    end = time.monotonic() + 280
    while not done():
        assert time.monotonic() < end, dock.status.value
        QApplication.processEvents()
        time.sleep(0.01)

def free_cells():
    # Middles of predicted cells that nothing is painted on, the largest first.
    if "nuclei · prediction" not in viewer.layers:
        return []
    found = viewer.layers["nuclei · prediction"].data
    numbers, sizes = np.unique(found[found > 0], return_counts=True)
    order = numbers[np.argsort(-sizes, kind="stable")]
    cells = [np.argwhere(found == number) for number in order]
    middles = [tuple(map(int, cell[len(cell) // 2])) for cell in cells if len(cell) > 20]
    return [m for m, n in zip(middles, order) if not paint.data[found == n].any()]

dock.run.native.click()
wait(lambda: len(free_cells()) >= 17 and len(dock.plot.loss.points) > 3)
middles, correct = free_cells(), dock.correcting.corrections  # as they are at each click
for middle in middles[:10]:
    correct().take(middle)
for middle in middles[10:15]:
    correct().reject(middle)
correct().split_itself(middles[0])
correct().merge(middles[1], middles[2])
after = paint.data.copy()
assert len(np.unique(after)) == 1 + 12 + 10 + 1 + 1 - 1, np.unique(after)
for _ in range(17):
    paint.undo()
assert (paint.data == first).all()  # each correction is one step
for _ in range(17):
    paint.redo()
assert (paint.data == after).all()
wait(lambda: max(sent) > 0 and max(taken, default=0) == max(sent))
dock._double_click.stop()
dock.run.native.click()
wait(lambda: not dock.busy)
np.save(sys.argv[1], after)
print("STOPPED", len(dock.plot.loss.points), dock.job.pid, dock.status.value, flush=True)
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
    qtbot.waitUntil(lambda: "stroke" in dock.status.value, timeout=PATIENCE)
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


def run_and_kill(labels):
    """Run the program until it has stopped its training, kill it; return steps and message."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(labels)], stdout=subprocess.PIPE, text=True
    ) as napari:
        said = next((line for line in napari.stdout if line.startswith("STOPPED")), "")
        napari.send_signal(signal.SIGKILL)
    assert said.startswith("STOPPED"), said
    _, points, engine, status = said.split(maxsplit=3)
    end = time.monotonic() + 100
    while Path(f"/proc/{engine}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    return int(points), status


def test_the_round_with_a_killed_napari(viewer, dock, models_folder, tmp_path, qtbot):
    models_folder.mkdir(exist_ok=True)
    points, status = run_and_kill(tmp_path / "paint.npy")
    assert "Model 'nuclei cells' saved" in status
    assert (models_folder / "nuclei cells.unet").exists()
    painted = np.load(tmp_path / "paint.npy")

    viewer.add_image(nuclei((192, 192), count=40, seed=3)[0], name="nuclei")
    qtbot.waitUntil(lambda: dock.run.text == "Continue", timeout=PATIENCE)
    assert dock.labels.value is None
    press(dock)
    qtbot.waitUntil(lambda: dock.labels.value is not None, timeout=PATIENCE)
    np.testing.assert_array_equal(dock.labels.value.data, painted)
    assert background_number(dock.labels.value) == painted.max() == 65535
    assert len(dock.plot.loss.points) >= points // 2  # the curve is there at once
    learning(dock, qtbot, len(dock.plot.loss.points))
    press(dock)
    qtbot.waitUntil(lambda: not dock.busy, timeout=PATIENCE)
    assert "Model 'nuclei cells' saved" in dock.status.value

    dock.segment.native.click()
    _, segment = viewer.window.add_plugin_dock_widget("unet-napari", "Segment with U-Net")
    press(segment)
    qtbot.waitUntil(lambda: not segment.busy, timeout=PATIENCE)
    segment["fit_thresholds"].native.click()
    qtbot.waitUntil(lambda: "Fitted to" in segment.status.value, timeout=PATIENCE)
    assert " painted cells" in segment.status.value
