import dataclasses
import threading
import time
from pathlib import Path

import dask.array
import numpy as np
import pytest
from qtpy.QtWidgets import QDialog, QLabel

from train_events import STEP
from unet_napari.engine import (
    AugmentationJob,
    JobCancelled,
    JobFailed,
    JobFinished,
    TrainJob,
)
from unet_napari.engine.arrays import open_ref
from unet_napari.networks.catalogue import CATALOGUE
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.augment_config import AugmentConfig
from unet_napari.training.events import Validated

VALIDATED = Validated(step=12, score=0.74, score_name="AP50", best=True, message="")


@pytest.fixture
def dock(train_dock):
    return train_dock


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
        "unet_napari._napari.docks.train_dock.train_job", lambda *_, **__: go.wait(300) and None
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


def test_several_images_are_trained_on_together(ready, viewer, client, painted, qtbot):
    other = viewer.add_image(painted[0] // 2, name="other")
    paint = viewer.add_labels(painted[1], name="other paint")
    ready["add_pair"].native.click()
    ready.image.value, ready.labels.value = other, paint
    ready.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert [pair.image.name for pair in client.jobs[0].pairs] == ["other", "nuclei"]


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
