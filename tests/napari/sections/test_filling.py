"""A whole image's labels appear while they are found, and go again if the run comes to nothing."""

import dask.array
import numpy as np
import pytest

from unet_napari.engine import ArraysReady, JobCancelled, JobFailed, JobFinished
from unet_napari.inference.progress import Progress

ENDS = [JobCancelled(), JobFailed("It broke.", user_error=True)]


@pytest.fixture
def dock(segment_dock):
    return segment_dock


@pytest.fixture
def begin(dock, client, qtbot):
    """Press Run, and let the engine say which array it is going to fill in."""

    def begin(shape):
        before = len(client.jobs)
        dock.run.native.click()
        qtbot.waitUntil(lambda: len(client.jobs) > before)
        labels = np.zeros(shape, np.uint32)
        client.say(ArraysReady(labels))
        client.say(Progress(0, 1, "started"))
        qtbot.waitUntil(lambda: dock.status.value == "started")
        return labels

    return begin


def end(dock, client, qtbot, event):
    client.say(event)
    qtbot.waitUntil(lambda: dock.run.text == "Segment")


def filled(*region):
    return Progress(1, 2, "working", region)


@pytest.fixture
def refreshes(dock):
    """Return a function that lists the refreshes of a layer from now on."""

    def refreshes(layer):
        heard = []
        layer.events.set_data.connect(heard.append)
        return heard

    return refreshes


def test_a_new_layer_appears_at_once_and_fills_in(dock, viewer, client, qtbot, begin, refreshes):
    lazy = dask.array.zeros((4, 20, 30), chunks=(1, 20, 30))
    viewer.add_image(lazy, name="stack", contrast_limits=(0, 1), axis_labels="zyx")
    viewer.dims.set_point(0, 1)
    labels = begin((4, 20, 30))
    layer = viewer.layers["stack · nuclei"]
    assert not layer.editable
    heard = refreshes(layer)
    labels[1, 5:10] = 7
    client.say(filled((1, 2), (5, 10), (0, 30)))
    qtbot.waitUntil(lambda: len(heard) == 1)
    end(dock, client, qtbot, JobFinished({"objects": 1}))
    assert layer.editable
    assert layer in viewer.layers
    assert np.array_equal(layer.data, labels)


def test_the_array_behind_the_layer_is_the_engines(dock, viewer, begin):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    labels = begin((20, 30))
    assert np.shares_memory(viewer.layers["cells · nuclei"].data, labels)


def test_what_is_filled_elsewhere_causes_no_refresh(dock, viewer, client, qtbot, begin, refreshes):
    viewer.add_image(np.zeros((4, 20, 30)), name="stack", axis_labels="zyx")
    viewer.dims.set_point(0, 1)
    begin((4, 20, 30))
    layer = viewer.layers["stack · nuclei"]
    heard = refreshes(layer)
    client.say(filled((2, 4), (0, 20), (0, 30)))
    client.say(Progress(1, 2, "later"))
    qtbot.waitUntil(lambda: dock.status.value == "later")
    qtbot.wait(700)
    assert heard == []


@pytest.mark.parametrize("event", ENDS)
def test_the_layer_of_a_first_run_goes_again(dock, viewer, client, qtbot, begin, event):
    image = viewer.add_image(np.zeros((20, 30)), name="cells")
    begin((20, 30))
    assert len(viewer.layers) == 2
    end(dock, client, qtbot, event)
    assert list(viewer.layers) == [image]
    assert dock.status.value in ("It broke.", "Stopped. Nothing was changed.")


@pytest.mark.parametrize("event", ENDS)
def test_the_labels_of_an_earlier_run_come_back(dock, viewer, client, qtbot, begin, event):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    begin((20, 30))[:] = 5
    end(dock, client, qtbot, JobFinished({"objects": 1}))
    layer = viewer.layers["cells · nuclei"]
    labels = begin((20, 30))
    assert (layer.data == 5).all()  # until there is something new
    labels[3] = 8
    client.say(filled((3, 4), (0, 30)))
    qtbot.waitUntil(lambda: layer.data[3, 0] == 8)
    end(dock, client, qtbot, event)
    assert (layer.data == 5).all()
    assert layer.editable
    assert viewer.layers["cells · nuclei"] is layer


def test_a_layer_removed_meanwhile_is_made_anew(dock, viewer, client, qtbot, begin):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    labels = begin((20, 30))
    del viewer.layers["cells · nuclei"]
    labels[:] = 2
    client.say(filled((0, 20), (0, 30)))
    end(dock, client, qtbot, JobFinished({"objects": 1}))
    assert (viewer.layers["cells · nuclei"].data == 2).all()


def test_a_removed_image_leaves_its_labels(dock, viewer, client, qtbot, begin):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    labels = begin((20, 30))
    del viewer.layers["cells"]
    labels[:] = 2
    end(dock, client, qtbot, JobFinished({"objects": 1}))
    assert (viewer.layers["cells · nuclei"].data == 2).all()


def test_a_dock_closed_meanwhile_leaves_nothing_unfinished(dock, viewer, begin):
    image = viewer.add_image(np.zeros((20, 30)), name="cells")
    begin((20, 30))
    viewer.window.remove_dock_widget(dock.native)
    assert list(viewer.layers) == [image]


@pytest.mark.parametrize(
    ("axes", "shape", "result", "box", "at"),
    [
        ("TZYX", (3, 4, 20, 30), (3, 4, 20, 30), ((2, 3), (1, 2), (0, 9), (0, 30)), (2, 1)),
        ("ZTYX", (4, 3, 20, 30), (3, 4, 20, 30), ((2, 3), (1, 2), (0, 9), (0, 30)), (1, 2)),
        ("TZYX", (1, 4, 20, 30), (4, 20, 30), ((1, 2), (0, 9), (0, 30)), (0, 1)),
    ],
)
def test_time_is_where_the_image_has_it(
    dock, viewer, client, qtbot, begin, refreshes, axes, shape, result, box, at
):
    viewer.add_image(np.zeros(shape), name="series", axis_labels=tuple(axes.lower()))
    viewer.dims.set_point((0, 1), at)
    labels = begin(result)
    layer = viewer.layers["series · nuclei"]
    labels[tuple(slice(*pair) for pair in box)] = 6
    heard = refreshes(layer)
    client.say(filled(*box))
    qtbot.waitUntil(lambda: len(heard) == 1)
    assert layer.data.shape == shape
    assert np.count_nonzero(layer.data) == 9 * 30
