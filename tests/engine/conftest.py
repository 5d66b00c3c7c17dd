"""An engine whose process does the small jobs of ``worker_jobs``."""

import importlib
import os
import queue
from pathlib import Path

import pytest

from unet_napari.engine import EngineClient
from unet_napari.engine.protocol import TERMINAL

WAIT = 300.0  # seconds; generous, as a slow machine is no failure


class Listener:
    """Collects the events of a job."""

    def __init__(self):
        self.events = []
        self._queue = queue.SimpleQueue()

    def __call__(self, event):
        self.events.append(event)
        self._queue.put(event)

    def next(self):
        return self._queue.get(timeout=WAIT)

    @property
    def ends(self):
        return [event for event in self.events if isinstance(event, TERMINAL)]


@pytest.fixture
def jobs(monkeypatch):
    """Return the module of small jobs, which the engine process can import as well."""
    folder = str(Path(__file__).parent / "worker_jobs")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", folder, prepend=os.pathsep)
    return importlib.import_module("engine_test_jobs")


@pytest.fixture
def client(jobs):
    with EngineClient(jobs=jobs.__name__) as client:
        yield client


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def run(client):
    """Run a job to its end and return all its events."""

    def run(job):
        listener = Listener()
        assert client.submit(job, listener).wait(WAIT)
        assert len(listener.ends) == 1
        assert listener.events[-1] is listener.ends[0]
        return listener.events

    return run
