"""A real engine process, and a model that it has trained."""

import pytest

from engine_jobs import WAIT, train_job
from unet_napari.engine import EngineClient
from unet_napari.engine import client as engine_client
from unet_napari.engine.shared import SharedFolder
from unet_napari.engine.worker.job_context import JobContext
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.images import nuclei


@pytest.fixture(scope="module")
def client():
    """Return an engine with the real jobs, whose torch is imported once for all tests."""
    with EngineClient() as client:
        yield client


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Let a job that is asked to stop save its model, however slow the machine is."""
    monkeypatch.setattr(engine_client, "PATIENCE", WAIT)


@pytest.fixture(scope="module")
def picture():
    return nuclei((96, 128), count=40, seed=1)


@pytest.fixture(scope="module")
def model_path(client, picture, tmp_path_factory):
    """Return the path of a model that the engine has trained for a moment."""
    path = tmp_path_factory.mktemp("models") / "trained.unet"
    job = train_job(client, picture, path)
    assert client.submit(job, lambda _: None).wait(WAIT)
    return path


@pytest.fixture
def context():
    """The context of a job that runs in this process; what it keeps is dropped in the end."""
    folder = SharedFolder()
    yield JobContext(1, lambda _: None, folder)
    folder.close()
    SHELF.clear()
