"""A result that the user has edited, copied or chosen is never written to by a later run."""

import numpy as np
import pytest

from napari.layers import Labels
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.layers.layer_axes import ViewPlace
from unet_napari._napari.layers.results import Purpose, find_result, write_result
from unet_napari._napari.runs import preview_layer
from unet_napari.engine import ArraysReady, JobFinished
from unet_napari.images import open_output

SHAPE = (20, 30)


@pytest.fixture
def dock(segment_dock):
    return segment_dock


@pytest.fixture
def run(dock, client, qtbot):
    """Press Segment, and return the layer with the labels that the engine finds."""

    def run(number, shape=SHAPE):
        jobs, before = len(client.jobs), list(dock.viewer.layers)
        dock.run.native.click()
        qtbot.waitUntil(lambda: len(client.jobs) > jobs)
        client.say(ArraysReady(np.full(shape, number, np.uint32)))
        client.say(JobFinished({"objects": 1}))
        qtbot.waitUntil(lambda: dock.run.text == "Segment")
        new = [layer for layer in dock.viewer.layers if layer not in before]
        return new[0] if new else None

    return run


def paint(layer):
    layer.paint((5, 5), 99)


def fill(layer):
    layer.fill((5, 5), 99)


def paint_and_undo(layer):
    layer.paint((5, 5), 99)
    layer.undo()


def assign(layer):
    layer.data = np.full(SHAPE, 99, np.uint32)


def script(layer):
    layer.data[5, 5] = 99


@pytest.mark.parametrize("edit", [paint, fill, paint_and_undo, assign, script])
@pytest.mark.parametrize("scope", ["whole", "slice"])
def test_an_edited_result_is_left_alone(dock, viewer, run, edit, scope):
    viewer.add_image(np.zeros(SHAPE), name="cells")
    dock.scope.value = scope
    first = run(1)
    edit(first)
    first.name = "my corrected labels"
    kept, undos = first.data.copy(), len(first._undo_history)
    second = run(2)
    np.testing.assert_array_equal(first.data, kept)
    assert len(first._undo_history) == undos
    assert second.name == "cells · nuclei"
    assert (second.data == 2).all()
    assert run(3) is None  # the new one is updated from now on
    assert (second.data == 3).all()


def test_the_new_layer_has_a_number_beside_an_edited_one_of_its_name(viewer, run):
    viewer.add_image(np.zeros(SHAPE), name="cells")
    paint(run(1))
    assert run(2).name == "cells · nuclei [1]"
    viewer.layers.move(2, 1)  # which one is older is not told by the order
    assert run(3) is None
    assert (viewer.layers["cells · nuclei [1]"].data == 3).all()


@pytest.mark.parametrize("scope", ["whole", "slice"])
def test_a_duplicate_is_another_layer(dock, viewer, run, scope):
    viewer.add_image(np.zeros(SHAPE), name="cells")
    dock.scope.value = scope
    first = run(1)
    state = first.as_layer_data_tuple()[1]
    copy = viewer.add_layer(Labels(first.data.copy(), **{**state, "name": "copy"}))
    assert run(2) is None
    assert (first.data == 2).all()
    assert (copy.data == 1).all()
    viewer.layers.remove(first)
    assert run(3) is not None
    assert (copy.data == 1).all()


@pytest.mark.parametrize("where", ["labels", "pairs"])
def test_labels_that_are_chosen_for_training_are_left_alone(viewer, run, where, qtbot):
    image = viewer.add_image(np.zeros(SHAPE), name="cells")
    first = run(1)
    train = TrainDock(viewer)
    viewer.window.add_dock_widget(train, name="Train")
    train.image.value, train.labels.value = image, first
    if where == "pairs":
        train.images.add()
        train.labels.value = None
    assert run(2) is not None
    assert (first.data == 1).all()
    viewer.window.remove_dock_widget(train.native)


def test_labels_in_a_file_are_never_written_to(dock, viewer, client, run, qtbot, tmp_path):
    viewer.add_image(np.zeros((9, *SHAPE)), name="stack")
    dock.settings.save_to.value = str(tmp_path / "labels.zarr")
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    path = client.jobs[-1].output
    with open_output(path, shape=(9, *SHAPE), dtype="uint32", axes="ZYX", pixel_size={}) as output:
        output[...] = 7
    client.say(JobFinished({"objects": 1}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    saved = viewer.layers["stack · nuclei"]
    dock.scope.value = "slice"
    new = run(2)
    assert (np.asarray(saved.data) == 7).all()
    assert np.count_nonzero(new.data) == 20 * 30


def test_results_of_two_models_never_share_a_layer(dock, viewer, run, library, models_folder):
    viewer.add_image(np.zeros(SHAPE), name="cells")
    first = run(1)
    for name in ("dapi_v1", "dapi_v2"):  # both are called "cells" in their file, as by `train`
        library(name)
        dock.model.reset_choices()
        dock.model.value = name
        assert dock.model.need_info().name == name
        assert run(2).name == f"cells · {name}"
    (models_folder / "dapi_v2.unet").write_bytes(b"another model")
    assert run(4).name == "cells · dapi_v2 [1]"
    assert (first.data == 1).all()


def test_a_model_called_prediction_is_shown(dock, viewer, run, library):
    image = viewer.add_image(np.zeros(SHAPE), name="cells")
    live = write_result(
        viewer, image, "YX", np.ones(SHAPE, np.uint32), ViewPlace(), preview_layer.PURPOSE
    )
    library("prediction")
    dock.model.reset_choices()
    dock.model.value = "prediction"
    result = run(5)
    assert result.visible
    assert not live.visible
    assert (live.data == 1).all()


def test_an_edited_live_prediction_is_left_alone(viewer):
    image = viewer.add_image(np.zeros(SHAPE), name="cells")
    where = (viewer, image, "YX")
    first = write_result(*where, np.ones(SHAPE, np.uint32), ViewPlace(), preview_layer.PURPOSE)
    assert (
        write_result(*where, np.ones(SHAPE, np.uint32), ViewPlace(), preview_layer.PURPOSE) is first
    )
    paint(first)
    second = write_result(*where, np.full(SHAPE, 2, np.uint32), ViewPlace(), preview_layer.PURPOSE)
    assert second is not first
    assert first.data[5, 5] == 99


@pytest.mark.parametrize("shape", [(3000, 2000), (2, 3, 5)])
def test_a_script_is_noticed_in_large_and_turned_arrays(viewer, shape):
    image = viewer.add_image(np.zeros(shape), name="cells")
    axes, purpose = "ZYX"[-len(shape) :], Purpose("labels", "labels")
    turned = np.moveaxis(np.ones(shape[1:] + shape[:1], np.uint32), -1, 0)
    layer = write_result(viewer, image, axes, turned, ViewPlace(), purpose)
    assert find_result(viewer, image, purpose) is layer
    layer.data[:, :2] = 5
    assert find_result(viewer, image, purpose) is None
