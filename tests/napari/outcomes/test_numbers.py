"""Measurements are of what is in the layer, for all of its cells, with or without a run."""

import numpy as np
import pytest

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari.engine import ArraysReady, JobFinished, MeasureJob
from unet_napari.engine.arrays import open_ref
from unet_napari.engine.worker.measure_labels import measure_labels


@pytest.fixture
def segment(dock, client, qtbot):
    """Press Segment, and let one cell of a size be found in the middle of the wanted part."""

    def segment(size=10):
        before = len(client.jobs)
        dock.run.native.click()
        qtbot.waitUntil(lambda: len(client.jobs) > before)
        job = client.jobs[-1]
        labels = np.zeros(open_ref(job.image.data).shape, np.uint32)
        starts = [(start + stop) // 2 for start, stop in job.inner]
        labels[tuple(slice(at, at + size) for at in starts)] = 1
        client.say(ArraysReady(labels))
        client.say(JobFinished({"objects": 1}))
        qtbot.waitUntil(lambda: dock.run.text == "Segment")

    return segment


@pytest.fixture
def measure(dock, client, context, qtbot):
    """Press Now, and let the engine's own function measure."""

    def measure():
        before = len(client.jobs)
        dock["measure_now"].native.click()
        qtbot.waitUntil(lambda: len(client.jobs) > before)
        job = client.jobs[-1]
        assert isinstance(job, MeasureJob)
        client.say(JobFinished(measure_labels(job, context)))
        qtbot.waitUntil(lambda: dock.run.text == "Segment")

    return measure


def test_two_views_keep_the_measurements_of_all_cells(dock, viewer, segment, qtbot):
    pixels = np.arange(200 * 300.0).reshape(200, 300)
    image = viewer.add_image(pixels, name="plane", scale=(0.5, 0.5), units=("um", "um"))
    dock.scope.value = "view"
    dock.measure.value = True
    for count, top, size in ((1, 100, 10), (2, 10, 6), (2, 100, 8)):
        image.corner_pixels = np.array([[top, 20], [top + 49, 99]])
        segment(size)
        layer = viewer.layers["plane · nuclei"]
        qtbot.waitUntil(lambda n=count, it=layer: len(it.features) == n)
    qtbot.waitUntil(lambda: 64 in layer.features["area"].tolist())
    rows = {row["index"]: row for row in layer.features.to_dict("records")}
    assert set(rows) == set(np.unique(layer.data)) - {0}
    for number, row in rows.items():
        where = np.nonzero(layer.data == number)
        assert row["area"] == where[0].size
        assert row["centroid-0"] == where[0].mean()
        assert row["centroid-1"] == where[1].mean()
        assert row["intensity_mean"] == pixels[where].mean()
        assert row["area_um2"] == where[0].size / 4


def test_a_slice_of_a_stack_says_which(dock, viewer, segment, qtbot):
    viewer.add_image(np.zeros((9, 60, 70)), name="stack")
    viewer.dims.set_point(0, 4)
    dock.scope.value = "slice"
    dock.measure.value = True
    segment()
    layer = viewer.layers["stack · nuclei"]
    qtbot.waitUntil(lambda: len(layer.features) == 1)
    assert layer.features["z"].tolist() == [4]


def test_what_is_in_the_layer_is_measured_without_a_run(dock, viewer, client, measure, qtbot):
    viewer.add_image(np.zeros((20, 30)), name="plane")
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    client.say(ArraysReady(np.ones((20, 30), np.uint32)))
    client.say(JobFinished({"objects": 1}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    layer = viewer.layers["plane · nuclei"]
    layer.data_setitem((np.array([3, 4]), np.array([5, 5])), 99)
    viewer.layers.selection.active = viewer.layers["plane"]
    measure()
    assert layer.features["index"].tolist() == [1, 99]
    assert layer.features["area"].tolist() == [598, 2]
    assert "2 objects" in dock.status.value
    layer.undo()
    assert (layer.data == 1).all()


def test_the_selected_labels_are_measured_time_point_by_time_point(dock, viewer, measure):
    viewer.add_image(np.zeros((3, 20, 30)), name="film", axis_labels="tyx")
    labels = np.zeros((3, 20, 30), int)
    labels[1, :2] = 7
    labels[2, :3] = 7
    mine = viewer.add_labels(labels, name="mine")
    measure()
    assert mine.features["index"].tolist() == [7, 7]
    assert mine.features["t"].tolist() == [1, 2]
    assert mine.features["area"].tolist() == [60, 90]


def test_without_labels_it_says_what_to_do(dock, viewer, client, qtbot):
    viewer.add_image(np.zeros((20, 30)), name="plane")
    viewer.add_labels(np.zeros((5, 5), int))
    dock["measure_now"].native.click()
    assert "no labels to measure" in dock.status.value
    assert dock.run.text == "Segment"
    assert client.jobs == []


def test_labels_are_measured_without_an_image_and_without_a_model(
    viewer, job, client, qtbot, context
):
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    data = np.zeros((4, 20, 30), int)
    data[1:3, 2:6, 3:9] = 12
    labels = viewer.add_labels(data, name="mine", scale=(2, 0.5, 0.5), units=("um",) * 3)
    dock["measure_now"].native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert client.jobs[-1].image is None
    client.say(JobFinished(measure_labels(client.jobs[-1], context)))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    assert labels.features["index"].tolist() == labels.features["label"].tolist() == [12]
    assert labels.features["volume_um3"].tolist() == [48 / 2]
    assert dock.status.value.startswith("1 object of 'mine' measured")


def test_slice_by_slice_each_slice_has_rows(dock, viewer, measure):
    viewer.add_image(np.zeros((3, 20, 30)), name="stack", axis_labels="zyx")
    data = np.zeros((3, 20, 30), int)
    data[0:2, 2:6, 3:9] = 12
    mine = viewer.add_labels(data, name="mine")
    dock.slicewise.value = True
    measure()
    assert mine.features["z"].tolist() == [0, 1]
    assert mine.features["area"].tolist() == [24, 24]


def test_labels_without_an_object_are_said(dock, viewer, measure):
    viewer.add_image(np.zeros((20, 30)), name="plane")
    viewer.add_labels(np.zeros((20, 30), int), name="mine")
    measure()
    assert dock.status.value == "There is no object in 'mine'."


def test_the_table_of_napari_opens_with_the_labels_selected(dock, viewer, measure, qtbot):
    image = viewer.add_image(np.zeros((20, 30)), name="plane")
    mine = viewer.add_labels(np.ones((20, 30), int), name="mine")
    measure()
    viewer.layers.selection.active = mine
    dock["table"].native.click()
    tables = [w for name, w in viewer.window.dock_widgets.items() if "Features table" in name]
    assert len(tables) == 1
    assert "mine" in tables[0].info.text()
    assert tables[0].table.model().columnCount() >= len(mine.features.columns)
    assert image in viewer.layers
