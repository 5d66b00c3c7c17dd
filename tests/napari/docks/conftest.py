"""A Train dock that is ready, and one whose training is going on."""

import pytest

from train_events import STARTED


@pytest.fixture
def ready(train_dock, viewer, painted):
    """A Train dock with an image and painted labels chosen."""
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
