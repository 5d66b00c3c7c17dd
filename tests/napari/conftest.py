"""A napari window, docks in it, and an engine that does what the test says."""

import gc
import os
import shutil
import socket
import struct
import tempfile
import threading
from functools import partial
from pathlib import Path

# Before napari is imported: the user's own settings are neither read nor changed.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp(prefix="napari-config-")) / "settings.yaml")

import numpy as np
import pytest

import napari
from train_events import STARTED
from unet_napari._napari.collection.browsers import browsers
from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.jobs.job import Job
from unet_napari.engine.shared import SharedFolder
from unet_napari.images.synthetic import nuclei
from unet_napari.model.info import ListedModel, ModelInfo


def pytest_configure():
    """Give each process of pytest-xdist a virtual screen of its own, which ends with it.

    On a common one they would take the focus and the clipboard from each other.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ or shutil.which("Xvfb") is None:
        return
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24", "-terminate"]
    quiet = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
    os.posix_spawnp(command[0], command, os.environ, file_actions=[quiet])
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    # The screen ends with its last client, and this one lives as long as the process.
    client = socket.socket(socket.AF_UNIX)
    client.connect(f"/tmp/.X11-unix/X{number}")  # noqa: S108  where X has it
    client.sendall(struct.pack("<BxHHHHxx", ord("l"), 11, 0, 0, 0))
    client.detach()
    os.environ["DISPLAY"] = f":{number}"


class FakeClient:
    """Takes the place of `EngineClient`: keeps the jobs, and says what it is told to say."""

    pid = 1

    def __init__(self):
        self.folder = SharedFolder()
        self.jobs = []
        self.commands = []
        self.cancelled = 0
        self.started = self.closed = False

    def start(self):
        self.started = True

    def submit(self, job, on_event):
        self.jobs.append(job)
        self._on_event = on_event
        return len(self.jobs)

    def command(self, handle, command):
        self.commands.append(command)

    def cancel(self, handle):
        self.cancelled += 1

    def close(self):
        self.closed = True
        self.folder.close()

    def say(self, event):
        """Deliver an event the way the client does: from a thread of its own."""
        thread = threading.Thread(target=self._on_event, args=(event,))
        thread.start()
        thread.join()


@pytest.fixture
def client():
    client = FakeClient()
    yield client
    client.folder.close()


@pytest.fixture
def job(qapp, client):
    job = Job(lambda: client)
    yield job
    job.close()


@pytest.fixture(autouse=True)
def models_folder(tmp_path, monkeypatch):
    """Return the user's folder of models, the only one there is: none is bundled."""
    folder = tmp_path / "models"
    monkeypatch.setattr("unet_napari.model.info._BUNDLED_FOLDER", tmp_path / "bundled")
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(folder))
    return folder


@pytest.fixture
def qtbot(qtbot):
    """The one of pytest-qt, with more patience: these tests also run on busy machines."""
    qtbot.waitUntil = partial(qtbot.waitUntil, timeout=30_000)
    return qtbot


@pytest.fixture(scope="session")
def _window(qapp):
    """One window for all tests: it takes a second or two to make."""
    viewer = napari.Viewer(show=False)
    # napari collects garbage after each removal of layers, and all that is there by now stays.
    gc.collect()
    gc.freeze()
    yield viewer
    gc.unfreeze()
    viewer.close()


@pytest.fixture
def viewer(_window, qtbot):
    """A viewer without layers and docks, with its window, which is not shown."""
    yield _window
    _window.window.remove_dock_widget("all")
    _window.layers.clear()
    browsers.pop(_window, None)  # a list of images belongs to a viewer, not to a dock
    _window.dims.ndisplay = 2
    _window.dims.order = (0, 1)
    qtbot.wait(1)  # Qt deletes later


@pytest.fixture
def painted():
    """A small image of nuclei, and labels of those in its upper half."""
    image, labels = nuclei((96, 128), count=12, seed=3)
    labels = labels.astype(np.uint16)
    labels[48:] = 0
    return image, labels


def _info(
    name,
    *,
    ndim=2,
    channels=1,
    task="cells",
    pixel_size=None,
    halo=None,
    thresholds=None,
    network="unet",
    diameter=None,
):
    return ModelInfo(
        name=name,
        task={"name": task, **(thresholds or {})},
        network={"name": network, "options": {}},
        normalisation={},
        channels=channels,
        ndim=ndim,
        parameters=1,
        pixel_size=pixel_size or {},
        halo=halo,
        diameter=diameter,
    )


@pytest.fixture
def library(models_folder, monkeypatch):
    """Models by name, as if they lay in the models folder."""
    models_folder.mkdir(exist_ok=True)
    models = {}

    def add(name, *, bundled=False, **options):
        path = models_folder / f"{name}.unet"
        path.write_bytes(b"")
        models[name] = ListedModel(name, path, _info(name, **options), bundled=bundled)

    monkeypatch.setattr(
        "unet_napari._napari.widgets.model_combo.list_models", lambda: list(models.values())
    )
    monkeypatch.setattr(
        "unet_napari._napari.widgets.model_combo.find_model", lambda name: models[name].path
    )
    monkeypatch.setattr(
        "unet_napari._napari.widgets.model_combo.read_info", lambda path: models[path.stem].info
    )
    return add


@pytest.fixture
def segment_dock(viewer, job, library):
    """The dock Segment with U-Net in the window, with one model to choose."""
    library("nuclei")
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    return dock


@pytest.fixture
def train_dock(viewer, job):
    """The dock Train U-Net in the window."""
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Train U-Net")
    return dock


@pytest.fixture
def ready(train_dock, viewer, painted):
    """A Train dock with an image and painted labels chosen, for a training of two minutes."""
    train_dock.effort.value = "quick"
    image, labels = painted
    viewer.add_image(image, name="nuclei")
    viewer.add_labels(labels, name="paint")
    return train_dock


@pytest.fixture
def running(ready, client, qtbot):
    """A Train dock whose training has begun."""
    ready.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    client.say(STARTED)
    return ready


@pytest.fixture
def train(ready, client, qtbot):
    """Press Train, and wait until a prediction was asked for."""

    def press():
        before = len(client.jobs)
        ready.run.native.click()
        qtbot.waitUntil(lambda: len(client.jobs) > before)
        client.say(STARTED)
        qtbot.waitUntil(lambda: bool(client.commands))
        return client.jobs[-1]

    return press
