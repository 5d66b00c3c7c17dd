"""The main job in a real window, with a real engine: the slowest tests, and the truest."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QTimer

import unet_napari
from unet_napari._napari.outcomes.territory import territory_of
from unet_napari.images.synthetic import nuclei

PATIENCE = 180_000  # milliseconds; importing torch on a busy machine takes most of it


@pytest.fixture
def train(viewer):
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
    return dock


@pytest.fixture
def painted(viewer, tmp_path):
    """A TIFF stack opened in the viewer, and labels of some of its nuclei in three slices."""
    image, labels = nuclei((9, 96, 96), count=40, seed=1)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, image, imagej=True, metadata={"axes": "ZYX"})
    (layer,) = viewer.open(path, plugin="napari")
    layer.scale = (0.5, 0.25, 0.25)
    layer.translate = (1, 2, 3)
    layer.units = ("um", "um", "um")
    layer.axis_labels = ("z", "y", "x")
    return layer, labels


def paint(dock, labels):
    dock.new.native.click()
    for z in (1, 4, 7):
        dock.labels.value.data[z] = labels[z]
    dock.labels.value.refresh()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Gaps:
    """Seconds between two turns of the event loop."""

    def __init__(self):
        self.seconds = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self):
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now


def test_from_a_tiff_to_labels(viewer, train, painted, qtbot):
    image, labels = painted
    paint(train, labels)
    assert train.image.value == image
    train.run.native.click()
    qtbot.waitUntil(lambda: len(train.plot.loss.points) > 1, timeout=PATIENCE)
    gaps = Gaps()
    name = f"{image.name} · prediction"
    qtbot.waitUntil(lambda: name in viewer.layers, timeout=PATIENCE)
    assert viewer.layers[name].data.shape == image.data.shape
    train.run.native.click()
    qtbot.waitUntil(lambda: not train.busy, timeout=PATIENCE)
    assert "saved" in train.status.value
    assert np.percentile(gaps.seconds, 99) < 0.1

    train.segment.native.click()
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Segment with U-Net")
    assert dock.image.value == image
    assert dock.model.value == f"{image.name} cells"
    assert dock.scope.value == "whole"
    dock.run.native.click()
    name = f"{image.name} · {image.name} cells"
    qtbot.waitUntil(lambda: name in viewer.layers, timeout=PATIENCE)
    result = viewer.layers[name]
    assert result.data.shape == image.data.shape
    for attribute in ("scale", "translate", "units", "axis_labels"):
        assert np.array_equal(getattr(result, attribute), getattr(image, attribute))
    assert "torch" not in sys.modules


def test_stop_keeps_the_model_and_a_killed_engine_is_survived(
    viewer, train, painted, models_folder, qtbot
):
    paint(train, painted[1])
    train.run.native.click()
    qtbot.waitUntil(lambda: len(train.plot.loss.points) > 1, timeout=PATIENCE)
    train.run.native.click()
    start = time.monotonic()
    qtbot.waitUntil(lambda: not train.busy, timeout=PATIENCE)
    assert time.monotonic() - start < 10  # 1.5 s, and what a busy machine takes
    assert list(models_folder.glob("*.unet"))

    train.run.native.click()
    qtbot.waitUntil(lambda: len(train.plot.loss.points) > 1, timeout=PATIENCE)
    os.kill(train.job.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: not train.busy, timeout=PATIENCE)
    assert "killed" in train.status.value
    assert not train.progress.visible

    train.run.native.click()
    qtbot.waitUntil(lambda: len(train.plot.loss.points) > 1, timeout=PATIENCE)
    pid = train.job.pid
    viewer.window.remove_dock_widget(train.native)
    qtbot.waitUntil(lambda: not is_running(pid))


def check_the_count(viewer, dock, middles, qtbot):
    """Answer each place as somebody does who knows the middles of all cells."""
    dock["check_count"].native.click()
    qtbot.waitUntil(lambda: "count check" in viewer.layers, timeout=PATIENCE)
    labels = viewer.layers["stack · nuclei"]
    record = dock.numbers._counting._record
    for place in record.places:
        assert round(viewer.dims.point[0]) == place.item.point[0]
        territory = territory_of(
            labels.data, place.item.point, record.free, labels.scale, bounds=record.bounds
        )
        at = middles - territory.box.start[1:]
        inside = at[((at >= 0) & (at < territory.mask.shape[1:])).all(axis=1)]
        answer = int(territory.mask[0][tuple(inside.T)].sum())
        layer = viewer.layers["count check"]
        keys = {str(key): key for key in layer.keymap}
        for key in "RTS"[answer] if answer < 3 else "O" * (answer - 2) + "S":
            layer.keymap[keys[key]](layer)
    assert record.complete
    return record.estimate()


def test_an_engine_killed_while_it_segments_is_survived_and_what_it_finds_counted(
    viewer, qtbot, monkeypatch
):
    monkeypatch.setattr("unet_napari._napari.outcomes.counting.new_seed", lambda: 1)
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Segment with U-Net")
    dock.model.value = Path(unet_napari.__file__).parent / "models" / "nuclei.unet"
    slices, truth = nuclei((128, 128), count=15, seed=1)
    stack = np.tile(slices, (20, 8, 8))
    viewer.add_image(stack, name="stack", axis_labels=("z", "y", "x"))
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=PATIENCE)
    os.kill(dock.job.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: dock.run.text == "Segment", timeout=PATIENCE)
    assert "killed" in dock.status.value
    assert not dock.progress.visible
    assert [layer.name for layer in viewer.layers] == ["stack"]

    dock.scope.value = "slice"
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=PATIENCE)
    labels = viewer.layers["stack · nuclei"].data
    shown = round(viewer.dims.point[0])
    assert len(np.unique(labels[shown])) > 15
    assert np.count_nonzero(labels) == np.count_nonzero(labels[shown])

    viewer.dims.set_point(0, 3)
    own = [np.argwhere(truth == number).mean(axis=0) for number in range(1, truth.max() + 1)]
    corners = 128 * np.argwhere(np.ones((8, 8)))
    middles = np.rint(corners[:, None] + np.array(own)).astype(int).reshape(-1, 2)
    estimate = check_the_count(viewer, dock, middles, qtbot)
    assert estimate.found == len(np.unique(labels[shown])) - 1
    assert estimate.low <= len(middles) <= estimate.high < 1.2 * len(middles)
    assert estimate.describe("cells") in str(dock["counted"].value)
