"""Measurements follow the labels when the thresholds are changed."""

import numpy as np
import pytest

from segment_runs import decoded, next_job, segment
from unet_napari._napari.sections.measuring import show_table
from unet_napari.engine import DecodeJob, JobCancelled, JobFinished, MeasureJob
from unet_napari.engine.arrays import open_ref

FOUND = np.zeros((20, 30), np.uint32)
FOUND[:5, :5], FOUND[10:, 10:] = 1, 2


@pytest.fixture
def measured(dock, client, qtbot, cells, viewer):
    """A result whose cells were measured."""
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32), kept=7)
    layer = viewer.layers["cells · nuclei"]
    show_table(layer, {"label": [1], "area": [600.0]})
    return layer


def test_the_cells_are_measured_again_when_the_sliders_rest(measured, client, qtbot, sliders):
    sliders["foreground_threshold"].value = 0.8
    next_job(client, qtbot, 2)
    decoded(client, FOUND)
    job = next_job(client, qtbot, 3)
    assert isinstance(job, MeasureJob)
    np.testing.assert_array_equal(open_ref(job.labels.data), FOUND)
    assert len(measured.features) == 0
    client.say(JobFinished({"table": {"label": [1, 2], "area": [25.0, 200.0]}}))
    qtbot.waitUntil(lambda: len(measured.features) == 2)
    assert measured.features["area"].tolist() == [25.0, 200.0]
    sliders["foreground_threshold"].value = 0.7
    assert isinstance(next_job(client, qtbot, 4), DecodeJob)


def test_a_slider_that_moves_on_goes_before_the_table(measured, client, qtbot, sliders):
    sliders["foreground_threshold"].value = 0.8
    next_job(client, qtbot, 2)
    decoded(client, FOUND)
    next_job(client, qtbot, 3)
    sliders["foreground_threshold"].value = 0.7
    qtbot.waitUntil(lambda: bool(client.cancelled))
    client.say(JobCancelled())
    assert isinstance(next_job(client, qtbot, 4), DecodeJob)
    decoded(client, FOUND)
    assert isinstance(next_job(client, qtbot, 5), MeasureJob)  # though the table is empty by now


def test_without_a_table_nothing_is_measured(dock, client, qtbot, cells, sliders, viewer):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32), kept=7)
    sliders["foreground_threshold"].value = 0.8
    next_job(client, qtbot, 2)
    decoded(client, FOUND)
    qtbot.waitUntil(lambda: bool((viewer.layers["cells · nuclei"].data == 2).any()))
    qtbot.wait(500)
    assert len(client.jobs) == 2


def test_the_cells_of_a_slice_are_measured_again(dock, viewer, client, qtbot, sliders):
    viewer.add_image(np.random.default_rng(0).random((6, 20, 30)), name="stack")
    viewer.dims.set_point(0, 2)
    dock.scope.value = "slice"
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    layer = viewer.layers["stack · nuclei"]
    show_table(layer, {"z": [2], "label": [1], "area": [600.0]})
    sliders["foreground_threshold"].value = 0.8
    next_job(client, qtbot, 2)
    decoded(client, FOUND)
    qtbot.waitUntil(lambda: sorted(layer.features["area"]) == [25.0, 200.0])
    assert layer.features["z"].tolist() == [2, 2]
