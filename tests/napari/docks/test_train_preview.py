"""The live prediction of the Train dock: where the user looks, and what gets in its way."""

import numpy as np
import pytest

from train_events import STEP
from unet_napari._napari.layers import results
from unet_napari._napari.runs import preview_layer
from unet_napari.engine import (
    JobFinished,
    Preview,
    PreviewRequest,
)
from unet_napari.engine.arrays import open_ref
from unet_napari.errors import ResourceError


@pytest.fixture
def dock(train_dock):
    return train_dock


def test_one_channel_is_trained_on_and_previewed_alone(dock, viewer, client, painted, qtbot):
    image, labels = painted
    viewer.add_image(np.stack([image, image[::-1]]), name="two")
    viewer.add_labels(labels, name="paint")
    dock.image.value, dock.labels.value = viewer.layers["two"], viewer.layers["paint"]
    dock.axes.value, dock.channel.value = "CYX", "2"
    assert "Channel (under Data) is 2, but 'two' has 2 channels" in dock.status.value
    assert not dock.run.enabled
    dock.channel.value = "1"
    assert dock.run.enabled
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs) and bool(client.commands))
    (pair,) = client.jobs[0].pairs
    assert (pair.image.axes, pair.image.fixed) == ("CYX", {"C": 1})
    request = client.commands[-1].image
    shown = open_ref(request.data, folders=client.folder.folders)
    shown = shown[request.fixed["C"]] if "C" in request.axes else shown
    np.testing.assert_array_equal(shown, image[::-1])


def test_the_visible_slice_is_previewed_and_updated_in_place(running, viewer, client, qtbot):
    qtbot.waitUntil(lambda: bool(client.commands))
    request = client.commands[-1]
    assert isinstance(request, PreviewRequest)
    image = viewer.layers["nuclei"].data
    np.testing.assert_array_equal(open_ref(request.image.data), image)
    viewer.layers.selection.active = viewer.layers["paint"]
    client.say(Preview(step=1, key=request.key, labels=np.full(image.shape, 3, np.uint32)))
    qtbot.waitUntil(lambda: "nuclei · prediction" in viewer.layers)
    layer = viewer.layers["nuclei · prediction"]
    assert (layer.data == 3).all()
    assert viewer.layers.selection.active is viewer.layers["paint"]
    data = layer.data
    client.say(Preview(step=2, key=request.key, labels=np.full(image.shape, 4, np.uint32)))
    qtbot.waitUntil(lambda: bool((layer.data == 4).all()))
    assert layer.data is data
    viewer.layers.remove(layer)
    client.say(Preview(step=3, key=request.key, labels=np.full(image.shape, 5, np.uint32)))
    qtbot.waitUntil(lambda: "nuclei · prediction" in viewer.layers)


def test_the_preview_follows_the_slider(dock, viewer, client, qtbot):
    stack = np.random.default_rng(0).random((6, 30, 40))
    paint = np.zeros(stack.shape, np.uint16)
    paint[0, :10, :10], paint[0, 20:, 20:] = 1, 2
    viewer.add_image(stack, name="stack")
    viewer.add_labels(paint)
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.commands))
    viewer.dims.set_point(0, 4)
    qtbot.waitUntil(lambda: len(client.commands) > 1)
    request = client.commands[-1]
    np.testing.assert_array_equal(open_ref(request.image.data), stack[4])
    client.say(Preview(step=1, key=request.key, labels=np.full((30, 40), 7, np.uint32)))
    qtbot.waitUntil(lambda: "stack · prediction" in viewer.layers)
    data = viewer.layers["stack · prediction"].data
    assert data.shape == stack.shape
    assert (data[4] == 7).all()
    assert not data[:4].any()


def test_a_preview_without_room_is_told_once_and_the_training_goes_on(
    running, viewer, client, qtbot, monkeypatch
):
    def refuse(*_):
        raise ResourceError("The disk is full.")

    told = []
    monkeypatch.setattr(results, "check_room", refuse)
    monkeypatch.setattr(preview_layer, "show_warning", told.append)
    qtbot.waitUntil(lambda: bool(client.commands))
    key, shape = client.commands[-1].key, viewer.layers["nuclei"].data.shape
    for step in (1, 2):
        client.say(Preview(step=step, key=key, labels=np.ones(shape, np.uint32)))
    client.say(STEP)
    qtbot.waitUntil(lambda: running.progress.value == 40)
    assert told == ["The disk is full."]
    assert "nuclei · prediction" not in viewer.layers
    assert running.run.text == "Stop"


def test_removing_the_image_during_a_run_does_no_harm(running, viewer, client, qtbot):
    qtbot.waitUntil(lambda: bool(client.commands))
    key = client.commands[-1].key
    viewer.layers.clear()
    client.say(Preview(step=1, key=key, labels=np.ones((96, 128), np.uint32)))
    client.say(JobFinished({"model": "/x/nuclei.unet", "reason": "Done.", "score": None}))
    qtbot.waitUntil(lambda: running.run.text == "Train")
    assert not viewer.layers
    assert not running.run.enabled
