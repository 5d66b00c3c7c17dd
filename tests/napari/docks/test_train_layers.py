"""Whose layers are whose: what is trained on belongs to one image, and stays the user's."""

import numpy as np
import pytest
import tifffile

from napari.layers import Image
from unet_napari._napari.layers.ownership import mark
from unet_napari._napari.runs.preview_layer import PreviewUpdates
from unet_napari.engine import JobCancelled, Preview
from unet_napari.engine.arrays import open_ref


@pytest.fixture
def dock(train_dock):
    return train_dock


def predict(client, number, shape=(96, 128)):
    key = client.commands[-1].key
    client.say(Preview(step=1, key=key, labels=np.full(shape, number, np.uint32)))


def finish(dock, client, qtbot):
    client.say(JobCancelled())
    qtbot.waitUntil(lambda: not dock.busy)
    client.commands.clear()


def test_a_prediction_that_was_corrected_and_chosen_is_never_written_to(
    ready, viewer, client, qtbot, train
):
    train()
    predict(client, 3)
    qtbot.waitUntil(lambda: "nuclei · prediction" in viewer.layers)
    finish(ready, client, qtbot)
    mine = viewer.layers["nuclei · prediction"]
    mine.paint((20, 20), 99)
    mine.name = "corrected by hand"
    ready.labels.value = mine
    kept = mine.data.copy()
    train()
    predict(client, 5)
    qtbot.waitUntil(lambda: "nuclei · prediction" in viewer.layers)
    np.testing.assert_array_equal(mine.data, kept)
    assert (viewer.layers["nuclei · prediction"].data == 5).all()


def test_labels_are_the_users_as_soon_as_they_are_chosen(ready, viewer, client, qtbot, train):
    train()
    predict(client, 3)
    qtbot.waitUntil(lambda: "nuclei · prediction" in viewer.layers)
    mine = viewer.layers["nuclei · prediction"]
    ready.labels.value = mine
    predict(client, 5)
    qtbot.waitUntil(lambda: len(viewer.layers) == 4)
    assert (mine.data == 3).all()


def test_strokes_on_the_live_prediction_are_kept(ready, viewer, client, qtbot, train):
    train()
    predict(client, 3)
    qtbot.waitUntil(lambda: "nuclei · prediction" in viewer.layers)
    mine = viewer.layers["nuclei · prediction"]
    mine.paint((20, 20), 99)
    predict(client, 5)
    qtbot.waitUntil(lambda: len(viewer.layers) == 4)
    assert (mine.data == 99).any()
    assert not (mine.data == 5).any()


@pytest.mark.parametrize("data", [np.zeros((4, 40, 50)), np.zeros((96, 128))])
def test_another_image_in_the_layer_ends_the_preview_with_one_word(
    ready, viewer, client, qtbot, train, data
):
    train()
    viewer.layers["nuclei"].data = data
    qtbot.wait(1000)  # more than two looks
    predict(client, 3)
    qtbot.wait(100)
    assert ready.warning.value.count("'nuclei' shows another image now") == 1
    assert ready.busy
    assert "nuclei · prediction" not in viewer.layers


def test_a_preview_remembers_nothing_of_where_it_has_been(ready, viewer, client, train):
    train()
    state = vars(ready.training.preview)
    assert isinstance(ready.training.preview, PreviewUpdates)
    assert not [value for value in state.values() if isinstance(value, list)]


def square(size):
    return np.array([[0, 0], [0, size], [size, size], [size, 0]])


def test_complete_in_counts_for_the_image_that_it_was_chosen_for(
    ready, viewer, client, painted, qtbot
):
    shapes = viewer.add_shapes([square(60)], name="regions")
    ready.settings.annotated.value = shapes
    ready["add_pair"].native.click()
    other = viewer.add_image(painted[0] // 2, name="other")
    paint = viewer.add_labels(painted[1], name="other paint")
    ready.image.value = other
    assert ready.settings.annotated.value is None
    assert ready.labels.value is paint  # the only ones that belong to no other image
    ready.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    second, first = client.jobs[0].pairs
    assert (second.image.name, second.annotated) == ("other", None)
    assert open_ref(first.annotated)[:50, :50].all()
    finish(ready, client, qtbot)
    ready.image.value = viewer.layers["nuclei"]
    assert ready.settings.annotated.value is shapes
    assert ready.labels.value is viewer.layers["paint"]


def test_labels_of_another_image_are_not_trained_on_after_the_image_was_changed(
    ready, viewer, painted
):
    assert ready.labels.value is viewer.layers["paint"]
    ready.image.value = viewer.add_image(painted[0][::-1], name="another field")
    assert ready.labels.value is None
    assert not ready.run.enabled


def test_a_choice_of_labels_before_that_of_the_image_is_kept(dock, viewer, painted):
    viewer.add_image(painted[0], name="first")
    second = viewer.add_image(painted[0], name="second")
    paints = [viewer.add_labels(painted[1], name=name) for name in ("a", "b")]
    dock.labels.value = paints[1]
    dock.image.value = second
    assert dock.labels.value is paints[1]


def test_a_result_of_a_model_is_never_proposed_as_labels(dock, viewer, painted, qtbot):
    image = viewer.add_image(painted[0], name="nuclei")
    result = viewer.add_labels(painted[1], name="nuclei · model")
    mark(result, {"image": str(image.unique_id), "purpose": "model"})
    viewer.add_points([[1, 1]])  # another occasion to propose something
    viewer.layers.remove(viewer.layers[-1])
    dock.labels.value = None
    dock.suggest_layers()
    assert dock.labels.value is None
    dock.labels.value = result
    qtbot.waitUntil(lambda: "A model made these labels" in dock.detected.value)


def test_labels_without_a_place_are_laid_on_the_image_with_a_click(dock, viewer, painted, qtbot):
    viewer.add_image(painted[0], name="nuclei", scale=(0.5, 0.5), units="um")
    dock.labels.value = labels = viewer.add_labels(painted[1], name="paint")
    qtbot.waitUntil(lambda: dock["lay"].native.isVisibleTo(dock.native))
    assert "'paint' does not lie on 'nuclei'" in dock.status.value
    dock["lay"].native.click()
    assert labels.scale.tolist() == [0.5, 0.5]
    assert dock.run.enabled
    qtbot.waitUntil(lambda: "cells" in dock.detected.value)
    assert not dock["lay"].native.isVisibleTo(dock.native)


def test_who_has_painted_everything_says_so_with_a_click(dock, viewer, qtbot):
    paint = np.zeros((60, 80), np.uint16)
    paint[2:-2, 2:-2] = np.arange(1, 5).repeat(14)[:, np.newaxis]
    viewer.add_image(np.zeros(paint.shape))
    viewer.add_labels(paint)
    qtbot.waitUntil(lambda: dock["all_painted"].native.isVisibleTo(dock.native))
    dock["all_painted"].native.click()
    assert dock.settings.unpainted.value == "background"
    qtbot.waitUntil(lambda: not dock["all_painted"].native.isVisibleTo(dock.native))


def test_a_film_is_trained_on_as_its_file_says(dock, viewer, client, tmp_path, qtbot):
    path = tmp_path / "film.tif"
    options = {"imagej": True, "resolution": (4, 4), "metadata": {"axes": "TYX", "unit": "um"}}
    tifffile.imwrite(path, np.zeros((6, 40, 50), np.uint16), **options)
    film = Image(tifffile.imread(path), name="film")
    film._source = film.source.model_copy(update={"path": str(path)})
    viewer.add_layer(film)
    paint = np.zeros((6, 40, 50), np.uint16)
    paint[:, 5:15, 5:15], paint[:, 20:35, 25:45] = 1, 2
    viewer.add_labels(paint)
    qtbot.waitUntil(lambda: dock["apply_size"].native.isVisibleTo(dock.native))
    assert dock["in_file"].value == "Its file says: axes TYX, pixels of 0.25 µm."
    qtbot.waitUntil(lambda: dock.detected.value.startswith("2D, 2 cells"))
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    image = client.jobs[0].pairs[0].image
    assert image.axes == "TYX"
    assert image.pixel_size == pytest.approx({"Y": 0.25, "X": 0.25})
    assert client.jobs[0].config["ndim"] == 2


def test_new_leaves_the_brush_in_the_hand(dock, viewer):
    viewer.add_image(np.zeros((20, 30)))
    dock.new.native.click()
    assert dock.labels.value.mode == "paint"
    assert viewer.layers.selection.active is dock.labels.value


def test_a_split_can_be_undone_and_the_brush_has_a_free_number(dock, viewer, qtbot):
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 5:15] = mask[20:35, 30:50] = 1
    viewer.add_image(np.zeros(mask.shape))
    layer = viewer.add_labels(mask.copy())
    qtbot.waitUntil(lambda: dock.split.native.isVisibleTo(dock.native))
    dock.split.native.click()
    assert np.unique(layer.data).tolist() == [0, 1, 2]
    assert layer.selected_label == 3
    layer.undo()
    np.testing.assert_array_equal(layer.data, mask)


@pytest.mark.parametrize(("axes", "time"), [("TYX", 0), ("ZTYX", 1)])
def test_a_mask_of_a_film_is_split_frame_by_frame(dock, viewer, qtbot, axes, time):
    shape = {"T": 3, "Z": 6, "Y": 40, "X": 60}
    mask = np.zeros([shape[letter] for letter in axes], np.uint8)
    mask[..., 5:15, 5:15] = mask[..., 20:35, 30:50] = 1  # does not move
    viewer.add_image(np.zeros(mask.shape), axis_labels=list(axes.lower()))
    layer = viewer.add_labels(mask.copy())
    qtbot.waitUntil(lambda: dock.split.native.isVisibleTo(dock.native))
    dock.split.native.click()
    frames = np.moveaxis(layer.data, time, 0)
    assert [np.unique(frame).tolist() for frame in frames] == [[0, 1, 2], [0, 3, 4], [0, 5, 6]]
    assert layer.selected_label == 7
    layer.undo()
    np.testing.assert_array_equal(layer.data, mask)
