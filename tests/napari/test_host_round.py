"""The round in a real window, with the engine on a host behind a real SSH."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from ssh_server import SshServer, reason_for_none
from unet_napari.engine import ConnectionChanged, PaintTaken
from unet_napari.engine.used_hosts import used_hosts
from unet_napari.images.synthetic import nuclei
from unet_napari.options import HostConfig

pytestmark = pytest.mark.skipif(bool(reason_for_none()), reason=reason_for_none())

PATIENCE = 120_000  # milliseconds; importing torch on a busy machine takes most of it


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = SshServer(tmp_path, (Path(__file__).parents[2] / "src",))
    server.put_on_path(monkeypatch)
    yield server
    server.close()


def on_host(dock, server):
    dock.host.value, dock.host_python.value = "server", server.python


def press(dock):
    dock._double_click.stop()
    dock.run.native.click()


def test_live_strokes_preview_a_lost_line_stop_continue_and_segment(
    viewer, server, models_folder, qtbot
):
    image, labels = nuclei((96, 128), count=12, seed=3)
    viewer.add_image(image, name="nuclei")
    painted = np.where(np.arange(96)[:, None] < 60, labels, 0).astype(np.uint16)
    paint = viewer.add_labels(painted, name="paint")
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
    on_host(dock, server)
    events = []
    dock.job.reported.connect(events.append)

    def wait(done):
        qtbot.waitUntil(done, timeout=PATIENCE)

    press(dock)
    wait(lambda: len(dock.plot.loss.points) > 3)
    assert used_hosts() == [HostConfig("server", server.python)]  # for the next session
    first = dock.plot.loss.points[0]
    paint.paint((80, 100), 77)
    wait(lambda: any(isinstance(event, PaintTaken) for event in events))
    wait(lambda: "nuclei · prediction" in viewer.layers)

    os.killpg(dock.job.pid, signal.SIGKILL)
    wait(lambda: any(isinstance(event, ConnectionChanged) and not event.lost for event in events))
    count = len(dock.plot.loss.points)
    wait(lambda: len(dock.plot.loss.points) > count)

    press(dock)
    wait(lambda: not dock.busy)
    assert not dock.status.is_error, dock.status.value
    assert [path.name for path in models_folder.glob("*.unet")] == ["nuclei cells.unet"]
    wait(lambda: dock.run.text == "Continue")
    steps = dock.plot.loss.points[-1][0]
    press(dock)
    wait(lambda: dock.plot.loss.points[-1][0] > steps)
    assert dock.plot.loss.points[0] == first
    press(dock)
    wait(lambda: not dock.busy)

    dock.segment.native.click()
    segment = next(
        viewer.window.dock_widgets[name] for name in viewer.window.dock_widgets if "Segment" in name
    )
    assert segment.host.value == "server"
    assert segment.host_python.value == server.python
    press(segment)
    wait(lambda: not segment.busy)
    assert segment.status.value.startswith("Done")
