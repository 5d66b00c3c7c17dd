"""What is painted, as the Train dock sees and tells it."""

import numpy as np
import pytest

from unet_napari.engine.arrays import open_ref


@pytest.fixture
def dock(train_dock):
    return train_dock


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


def test_a_mask_is_split_into_cells_with_one_click(dock, viewer, qtbot):
    mask = np.zeros((40, 60), bool)
    mask[5:15, 5:15] = mask[20:35, 30:50] = True
    viewer.add_image(np.zeros(mask.shape))
    layer = viewer.add_labels(mask.astype(np.uint8))
    qtbot.waitUntil(lambda: dock.split.native.isVisibleTo(dock.native))
    dock.split.native.click()
    assert np.unique(layer.data).tolist() == [0, 1, 2]
    qtbot.waitUntil(lambda: "2 cells" in dock.detected.value)


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
