import dataclasses
import threading
import time
from pathlib import Path

import dask.array
import numpy as np
import pytest
from qtpy.QtWidgets import QDialog, QLabel

from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.layers import results
from unet_napari._napari.runs import preview_layer
from unet_napari.engine import (
    AugmentationJob,
    JobCancelled,
    JobFailed,
    JobFinished,
    Preview,
    PreviewRequest,
    TrainJob,
)
from unet_napari.engine.arrays import open_ref
from unet_napari.errors import ResourceError
from unet_napari.networks.catalogue import CATALOGUE
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.augment_config import AugmentConfig
from unet_napari.training.events import Started, Step, Validated

STARTED = Started(
    chosen=("a patch of 64, because",),
    device="cpu",
    patch=(64, 64),
    batch=4,
    samples=1,
    parameters=1000,
    validation="a fifth",
)
STEP = Step(
    step=12, epoch=3, epochs=9, loss=0.25, learning_rate=1e-3, fraction=0.4, seconds_left=130
)
VALIDATED = Validated(step=12, score=0.74, score_name="AP50", best=True, message="")


@pytest.fixture
def dock(viewer, job):
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Train U-Net")
    return dock


@pytest.fixture
def ready(dock, viewer, painted):
    """A dock with an image and painted labels chosen."""
    image, labels = painted
    viewer.add_image(image, name="nuclei")
    viewer.add_labels(labels, name="paint")
    return dock


@pytest.fixture
def running(ready, client, qtbot):
    ready.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    client.say(STARTED)
    return ready


def test_without_layers_everything_that_is_missing_is_named(dock):
    assert not dock.run.enabled
    assert "an image" in dock.status.value
    assert "labels" in dock.status.value


def test_the_active_image_is_chosen_and_then_only_labels_are_missing(dock, viewer):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    assert dock.image.value == viewer.layers["cells"]
    assert not dock.run.enabled
    assert "an image" not in dock.status.value
    assert "labels" in dock.status.value


def test_new_adds_labels_that_can_be_painted_at_once(dock, viewer):
    image = viewer.add_image(np.zeros((20, 30)), scale=(2, 3), units=("um", "um"))
    dock.new.native.click()
    labels = dock.labels.value
    assert labels in viewer.layers
    assert labels.data.shape == (20, 30)
    assert labels.scale.tolist() == image.scale.tolist()
    assert labels.units == image.units
    assert viewer.layers.selection.active is labels
    assert dock.run.enabled


def test_what_is_painted_is_told(ready, qtbot):
    qtbot.waitUntil(lambda: "cells" in ready.detected.value)
    assert ready.detected.value.startswith("2D, ")
    ready.task.value = "semantic"
    qtbot.waitUntil(lambda: "classes" in ready.detected.value)


def test_background_is_painted_in_grey_told_and_sent(ready, viewer, client, qtbot):
    qtbot.waitUntil(lambda: "cells" in ready.detected.value)
    layer = viewer.layers["paint"]
    ready.paint_background.native.click()
    number = int(layer.selected_label)
    assert ready.status.value == "The brush paints background, in grey."
    assert layer.mode == "paint"
    layer.paint((2, 2), number)
    qtbot.waitUntil(lambda: f"Grey (number {number}) is background." in ready.detected.value)
    ready.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert client.jobs[0].pairs[0].background == number


def test_background_is_offered_while_the_brush_for_cells_is_in_hand(dock, viewer, painted):
    assert not dock.paint_background.native.isVisibleTo(dock.native)
    image, labels = painted
    viewer.add_image(image, name="nuclei")
    layer = viewer.add_labels(labels, name="paint")
    assert not dock.paint_background.native.isVisibleTo(dock.native)
    layer.mode = "paint"
    assert dock.paint_background.native.isVisibleTo(dock.native)
    dock.task.value = "semantic"
    assert not dock.paint_background.native.isVisibleTo(dock.native)


def test_without_labels_no_background_can_be_painted(dock):
    dock.paint_background.native.click()
    assert "choose a labels layer, or add one with New" in dock.status.value


def test_strokes_of_the_brush_are_noticed(ready, viewer, qtbot):
    qtbot.waitUntil(lambda: "cells" in ready.detected.value)
    viewer.layers["paint"].data = np.zeros_like(viewer.layers["paint"].data)
    qtbot.waitUntil(lambda: "Nothing is painted" in ready.detected.value)
    viewer.layers["paint"].paint((20, 20), 1)
    qtbot.waitUntil(lambda: "1 cell," in ready.detected.value)


def test_labels_of_another_shape_are_named_with_their_image(dock, viewer):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    dock.labels.value = viewer.add_labels(np.zeros((20, 31), int), name="paint")
    assert not dock.run.enabled
    for word in ("'paint'", "20 x 31", "'cells'", "20 x 30"):
        assert word in dock.status.value


def test_empty_labels_are_refused_by_name_and_the_next_run_works(ready, viewer, client, qtbot):
    paint = viewer.layers["paint"].data.copy()
    viewer.layers["paint"].data = np.zeros_like(paint)
    ready.run.native.click()
    qtbot.waitUntil(lambda: "Nothing is painted" in ready.status.value)
    assert ready.run.text == "Train"
    assert not ready.progress.visible
    assert not client.jobs
    viewer.layers["paint"].data = paint
    ready.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1)


def test_a_wrong_setting_is_told_before_anything_starts(ready, client):
    ready["batch"].value = "many"
    ready.run.native.click()
    assert (
        ready.status.value
        == "Batch (under Network) must be a whole number of at least 1, not 'many'."
    )
    assert ready.run.text == "Train"
    assert not client.jobs


def test_the_job_says_what_the_dock_says(running, client, painted, models_folder):
    image, labels = painted
    (job,) = client.jobs
    assert isinstance(job, TrainJob)
    (pair,) = job.pairs
    np.testing.assert_array_equal(open_ref(pair.image.data), image)
    np.testing.assert_array_equal(open_ref(pair.labels), labels)
    assert pair.image.axes == "YX"
    assert job.config["ndim"] == 2
    assert job.config["task"] == "cells"
    assert job.config["seconds"] == 120
    assert job.output == str(models_folder / "nuclei cells.unet")


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


def test_another_image_has_a_channel_of_its_own(dock, viewer):
    first = viewer.add_image(np.zeros((2, 20, 30)), name="first")
    second = viewer.add_image(np.zeros((2, 20, 30)), name="second")
    dock.image.value = first
    dock.channel.value = "1"
    dock.chosen.use()  # a training has taken it
    dock.image.value = second
    assert dock.channel.value == ""
    dock.image.value = first
    assert dock.channel.value == "1"


def test_labels_are_taken_as_they_were_when_run_was_pressed(ready, viewer, client, painted, qtbot):
    before = painted[1].copy()
    ready.run.native.click()
    viewer.layers["paint"].data[:] = 99
    qtbot.waitUntil(lambda: bool(client.jobs))
    np.testing.assert_array_equal(open_ref(client.jobs[0].pairs[0].labels), before)


def test_a_painted_volume_is_trained_on_in_3d_and_single_slices_in_2d(dock, viewer, client, qtbot):
    paint = np.zeros((12, 40, 40), np.uint16)
    paint[::4, 5:20, 5:20] = 1
    viewer.add_image(np.random.default_rng(0).random(paint.shape))
    layer = viewer.add_labels(paint)
    qtbot.waitUntil(lambda: dock.detected.value.startswith("2D"))
    paint[3:9, 5:20, 5:20] = 1
    layer.refresh()
    qtbot.waitUntil(lambda: dock.detected.value.startswith("3D"))
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert client.jobs[0].config["ndim"] == 3


def test_the_line_the_bar_and_the_plot_move(running, client, qtbot):
    client.say(STEP)
    client.say(VALIDATED)
    client.say(dataclasses.replace(STEP, step=13, loss=0.2))
    expected = "epoch 3/9 · loss 0.2 · AP50 0.74 · 2 min left · CPU"
    qtbot.waitUntil(lambda: running.status.value == expected)
    assert running.progress.value == 40
    assert running.plot.loss.points == [(12, 0.25), (13, 0.2)]
    assert running.plot.score.points == [(12, 0.74)]


def test_a_double_click_is_one_run(ready, client, qtbot):
    ready.run.native.click()
    ready.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert ready.run.text == "Stop"
    assert client.cancelled == 0
    assert len(client.jobs) == 1


def test_a_stop_while_labels_are_still_being_copied_starts_nothing(
    ready, client, qtbot, monkeypatch
):
    go = threading.Event()
    monkeypatch.setattr(
        "unet_napari._napari.docks.train_dock.train_job", lambda *_, **__: go.wait(10) and None
    )
    ready.run.native.click()
    qtbot.wait(500)  # longer than a double click
    ready.run.native.click()
    go.set()
    qtbot.waitUntil(lambda: ready.run.text == "Train")
    assert not client.jobs


def test_stop_keeps_the_model_and_the_dock_is_ready_again(running, client, qtbot, models_folder):
    qtbot.wait(500)  # longer than a double click
    running.run.native.click()
    assert running.run.text == "Stopping…"
    assert not running.run.enabled
    assert client.cancelled == 1
    result = {
        "model": str(models_folder / "nuclei.unet"),
        "stopped": True,
        "reason": "Stopped.",
        "score": 0.5,
        "score_name": "AP50",
    }
    client.say(JobFinished(result))
    qtbot.waitUntil(lambda: running.run.enabled)
    assert running.run.text == "Train"
    assert "'nuclei'" in running.status.value
    assert "AP50 0.50" in running.status.value
    assert running.segment.native.isVisibleTo(running.native)


def test_a_stop_before_the_first_model_is_told(running, client, qtbot):
    client.say(JobCancelled())
    qtbot.waitUntil(lambda: running.run.text == "Train")
    assert "no model" in running.status.value.lower() or "before there was" in running.status.value


def test_the_death_of_the_engine_is_one_message_and_the_next_run_works(running, client, qtbot):
    client.say(JobFailed("The engine process was killed.", user_error=True))
    qtbot.waitUntil(lambda: running.run.text == "Train")
    assert running.status.value == "The engine process was killed."
    assert not running.progress.visible
    running.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 2)


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


def test_a_long_training_says_so_before_it_starts(dock):
    assert not dock.duration.native.isVisibleTo(dock.native)
    dock.effort.value = "long"
    assert dock.duration.native.isVisibleTo(dock.native)
    assert dock.duration.value.startswith("This takes 20 min. Stop at any time")
    dock.minutes.value = "90"
    assert dock.duration.value.startswith("This takes 1 h 30 min.")
    for short in ("10", "many"):
        dock.minutes.value = short
        assert not dock.duration.native.isVisibleTo(dock.native)


def test_a_mask_is_split_into_cells_with_one_click(dock, viewer, qtbot):
    mask = np.zeros((40, 60), bool)
    mask[5:15, 5:15] = mask[20:35, 30:50] = True
    viewer.add_image(np.zeros(mask.shape))
    layer = viewer.add_labels(mask.astype(np.uint8))
    qtbot.waitUntil(lambda: dock.split.native.isVisibleTo(dock.native))
    dock.split.native.click()
    assert np.unique(layer.data).tolist() == [0, 1, 2]
    qtbot.waitUntil(lambda: "2 cells" in dock.detected.value)


def test_several_images_are_trained_on_together(ready, viewer, client, painted, qtbot):
    other = viewer.add_image(painted[0] // 2, name="other")
    paint = viewer.add_labels(painted[1], name="other paint")
    ready["add_pair"].native.click()
    ready.image.value, ready.labels.value = other, paint
    ready.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert [pair.image.name for pair in client.jobs[0].pairs] == ["other", "nuclei"]


def test_shapes_mark_what_is_complete(ready, viewer, client, qtbot):
    shapes = viewer.add_shapes([np.array([[0, 0], [0, 63], [40, 63], [40, 0]])])
    ready.settings.annotated.value = shapes
    ready.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    mask = open_ref(client.jobs[0].pairs[0].annotated)
    assert mask.shape == (96, 128)
    assert mask[1:40, 1:63].all()
    assert not mask[42:].any()
    assert not mask[:, 65:].any()


def test_closing_the_dock_ends_the_engine(running, viewer, client, qtbot):
    viewer.window.remove_dock_widget(running.native)
    qtbot.waitUntil(lambda: client.closed)


def test_a_picture_of_the_augmentation_opens_beside_the_viewer(ready, viewer, client, qtbot):
    ready["augmentation"].value = "flips"
    ready["show_augmentation"].native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    (job,) = client.jobs
    assert isinstance(job, AugmentationJob)
    expected = dataclasses.replace(AugmentConfig.none(), flip=True, turn=True)
    assert TrainConfig.from_dict(job.config).augment == expected
    assert ready.run.text == "Stop"
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[..., 1] = 255
    client.say(JobFinished({"picture": picture}))
    qtbot.waitUntil(lambda: ready.run.text == "Train")
    (window,) = ready.native.findChildren(QDialog)
    shown = window.findChild(QLabel).pixmap().toImage()
    assert (shown.width(), shown.height()) == (60, 40)
    assert shown.pixelColor(5, 5).getRgb()[:3] == (0, 255, 0)
    assert not window.isModal()
    assert len(viewer.layers) == 2
    assert not ready.segment.native.isVisibleTo(ready.native)
    window.close()


def test_a_picture_needs_labels_too(dock, client):
    dock["show_augmentation"].native.click()
    assert "an image" in dock.status.value
    assert not client.jobs


def test_the_chosen_network_is_described(dock):
    for entry in CATALOGUE.values():
        dock["network"].value = entry.name
        assert dock["about_network"].value == entry.description


def test_an_enormous_layer_of_new_is_trained_on_without_holding_up_the_viewer(
    dock, viewer, client, qtbot
):
    """64 GiB of labels of which two slices are painted: only those travel."""
    pixels = dask.array.zeros((512, 8192, 8192), np.uint8, chunks=(1, 4096, 4096))
    viewer.add_image(pixels, name="huge", contrast_limits=(0, 1))
    dock.new.native.click()
    layer = dock.labels.value
    assert layer.data.nbytes == 64 << 30
    for number, (z, y) in enumerate([(3, 4000), (3, 4100), (400, 100), (400, 8000)], 1):
        layer.data[z, y : y + 40, 5000:5040] = number
    layer.refresh()
    qtbot.waitUntil(lambda: "4 cells" in dock.detected.value)
    start = time.perf_counter()
    dock.run.native.click()
    held = time.perf_counter() - start
    qtbot.waitUntil(lambda: bool(client.jobs))
    reference = client.jobs[0].pairs[0].labels
    assert Path(reference.path).stat().st_size < 4 << 20
    labels = open_ref(reference, folders=client.folder.folders)
    assert labels[400, 8000, 5000:5041].tolist() == [4] * 40 + [0]
    assert client.jobs[0].config["ndim"] == 2
    assert held < 5  # it was minutes, if there was the memory at all
