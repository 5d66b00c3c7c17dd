"""The sliders of the Segment dock: at once on the last result, fitted to paint, kept in a model."""

import numpy as np

from segment_runs import THRESHOLDS, decoded, next_job, segment
from unet_napari._napari.layers.ownership import is_untouched
from unet_napari._napari.runs import live_thresholds
from unet_napari.engine import (
    ArraysReady,
    DecodeJob,
    FitJob,
    JobCancelled,
    JobFailed,
    JobFinished,
    KeepThresholdsJob,
    SegmentJob,
)
from unet_napari.engine.arrays import open_ref


def test_a_slider_changes_the_last_result_without_a_run(
    dock, viewer, client, qtbot, cells, sliders
):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32), kept=7)
    sliders["foreground_threshold"].value = 0.8
    job = next_job(client, qtbot, 2)
    assert job == DecodeJob(7, {"foreground_threshold": 0.8}, None)
    assert dock.run.text == "Segment"
    assert dock.run.enabled
    found = np.zeros((20, 30), np.uint32)
    found[:5, :5], found[10:, 10:] = 1, 2
    decoded(client, found)
    layer = viewer.layers["cells · nuclei"]
    qtbot.waitUntil(lambda: dock.status.value == "2 cells with these thresholds.")
    np.testing.assert_array_equal(layer.data, found)
    assert is_untouched(layer)
    assert len(client.jobs) == 2


def test_while_the_engine_decodes_only_the_newest_values_wait(dock, client, qtbot, cells, sliders):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    for value in (0.6, 0.7, 0.8, 0.9):
        sliders["seed_threshold"].value = value
    assert client.jobs[1].thresholds == {"seed_threshold": 0.6}
    assert len(client.jobs) == 2
    decoded(client, np.ones((20, 30)))
    job = next_job(client, qtbot, 3)
    assert job.thresholds == {"seed_threshold": 0.9}
    decoded(client, np.ones((20, 30)))
    qtbot.wait(live_thresholds._REST_TIME + 100)
    assert len(client.jobs) == 3


def test_the_model_s_own_values_are_those_of_reset(dock, client, qtbot, cells, sliders):
    fields = dock.settings.thresholds
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    assert not fields.reset.enabled
    sliders["min_size"].value = 40
    decoded(client, np.ones((20, 30)))
    assert fields.reset.enabled
    fields.reset.native.click()
    job = next_job(client, qtbot, 3)
    assert job.thresholds == {}
    assert sliders["min_size"].value == 10
    assert not fields.reset.enabled
    assert not fields.keep.enabled


def test_a_result_that_was_edited_is_left_alone(dock, viewer, client, qtbot, cells, sliders):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    layer = viewer.layers["cells · nuclei"]
    layer.data_setitem((np.array([3]), np.array([4])), 9)
    sliders["seed_threshold"].value = 0.9
    decoded(client, np.full((20, 30), 2))
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    assert layer.data[3, 4] == 9
    assert (layer.data == 1).sum() == 599
    assert (viewer.layers[-1].data == 2).all()


def test_without_kept_maps_the_sliders_count_for_the_next_run(dock, client, qtbot, cells, sliders):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32), kept=None)
    sliders["seed_threshold"].value = 0.9
    assert len(client.jobs) == 1
    assert segment(dock, client, qtbot, np.ones((20, 30), np.uint32)).thresholds == {
        "seed_threshold": 0.9
    }


def test_another_image_or_model_is_not_changed(
    dock, viewer, client, qtbot, cells, library, sliders
):
    library("other", thresholds=THRESHOLDS)
    dock.model.reset_choices()
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    viewer.add_image(np.zeros((20, 30)), name="second")
    dock.image.value = viewer.layers["second"]
    sliders["seed_threshold"].value = 0.9
    dock.image.value = cells
    dock.model.value = "other"
    sliders["seed_threshold"].value = 0.8
    assert len(client.jobs) == 1
    dock.model.value = "nuclei"
    sliders["seed_threshold"].value = 0.7
    assert len(client.jobs) == 2


def test_of_a_large_image_the_view_comes_first_and_all_of_it_at_rest(
    dock, viewer, client, qtbot, monkeypatch, sliders
):
    monkeypatch.setattr(live_thresholds, "_QUICK_PIXELS", 1000)
    image = viewer.add_image(np.zeros((400, 600)), name="plane")
    labels = np.zeros((400, 600), np.uint32)
    labels[200:220, 200:220], labels[390:, 590:] = 1, 2
    segment(dock, client, qtbot, labels)
    image.corner_pixels = np.array([[180, 180], [259, 279]])
    sliders["foreground_threshold"].value = 0.6
    job = next_job(client, qtbot, 2)
    assert job.box == ((116, 324), (116, 344))  # with 64 pixels around
    part = np.zeros((208, 228), np.uint32)
    part[90:100, 90:100] = 1
    decoded(client, part)
    layer = viewer.layers["plane · nuclei"]
    qtbot.waitUntil(lambda: np.count_nonzero(layer.data[:300, :300]) == 100)
    assert (layer.data[206:216, 206:216] == 1).all()  # the cell keeps its number
    assert (layer.data[390:, 590:] == 2).all()
    job = next_job(client, qtbot, 3)  # when the slider rests
    assert (job.box, job.thresholds) == (None, {"foreground_threshold": 0.6})
    sliders["foreground_threshold"].value = 0.7  # it moves again: the view goes first
    assert client.cancelled == 1
    client.say(JobCancelled())
    job = next_job(client, qtbot, 4)
    assert job.box is not None
    assert job.thresholds == {"foreground_threshold": 0.7}
    decoded(client, part)
    job = next_job(client, qtbot, 5)
    assert job.box is None
    whole = np.zeros((400, 600), np.uint32)
    whole[0, 0] = 1
    decoded(client, whole)
    qtbot.waitUntil(lambda: layer.data[0, 0] == 1)
    np.testing.assert_array_equal(layer.data, whole)


def test_a_slice_of_a_stack_is_changed_in_its_place(dock, viewer, client, qtbot, sliders):
    viewer.add_image(np.random.default_rng(0).random((6, 20, 30)), name="stack")
    viewer.dims.set_point(0, 2)
    dock.scope.value = "slice"
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    sliders["min_size"].value = 30
    assert next_job(client, qtbot, 2).box is None
    found = np.zeros((20, 30), np.uint32)
    found[4:9, 4:9] = 1
    decoded(client, found)
    layer = viewer.layers["stack · nuclei"]
    qtbot.waitUntil(lambda: np.count_nonzero(layer.data) == 25)
    assert np.count_nonzero(layer.data[2]) == 25


def test_a_segmentation_goes_before_what_the_sliders_ask(dock, client, qtbot, cells, sliders):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    sliders["seed_threshold"].value = 0.9
    dock.run.native.click()
    qtbot.waitUntil(lambda: client.cancelled == 1)
    assert len(client.jobs) == 2
    client.say(JobCancelled())
    job = next_job(client, qtbot, 3)
    assert isinstance(job, SegmentJob)
    client.say(ArraysReady(np.ones((20, 30), np.uint32)))
    client.say(JobFinished({"objects": 1, "kept": 2}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    assert dock.status.value == "Done: 1 cell."


def test_stop_ends_a_segmentation_that_still_waits(dock, client, qtbot, cells, sliders):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    sliders["seed_threshold"].value = 0.9
    dock.run.native.click()
    qtbot.waitUntil(lambda: client.cancelled == 1)
    dock._double_click.stop()
    dock.run.native.click()
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    client.say(JobCancelled())
    qtbot.wait(50)
    assert len(client.jobs) == 2
    assert dock.status.value == "Stopped. Nothing was changed."


def test_maps_that_are_gone_are_told_in_one_line(dock, client, qtbot, cells, sliders):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    sliders["seed_threshold"].value = 0.9
    client.say(JobFailed("The maps are gone.", user_error=True))
    qtbot.waitUntil(lambda: dock.status.value == "The maps are gone.")
    sliders["seed_threshold"].value = 0.8
    assert len(client.jobs) == 2


def test_an_image_removed_meanwhile_gets_no_labels(dock, viewer, client, qtbot, cells, sliders):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    sliders["seed_threshold"].value = 0.9
    viewer.layers.remove(cells)
    decoded(client, np.full((20, 30), 5))
    qtbot.wait(50)
    assert (viewer.layers["cells · nuclei"].data == 1).all()


def paint(viewer, name="mine"):
    labels = np.zeros((20, 30), np.uint16)
    labels[2:6, 2:6], labels[10:14, 10:14] = 1, 2
    return viewer.add_labels(labels, name=name)


def test_the_sliders_are_fitted_to_what_is_painted(dock, viewer, client, qtbot, cells, sliders):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32), kept=3)
    painted = paint(viewer)
    dock.settings.thresholds.fit.native.click()
    job = next_job(client, qtbot, 2)
    assert isinstance(job, FitJob)
    assert job.kept == 3
    np.testing.assert_array_equal(open_ref(job.labels), painted.data)
    fitted = THRESHOLDS | {"seed_threshold": 0.7, "min_size": 8}
    result = {"thresholds": fitted, "count": 12, "score_name": "AP50"}
    client.say(JobFinished(result | {"score": 0.831, "before": 0.5}))
    job = next_job(client, qtbot, 3)
    assert job == DecodeJob(3, {"seed_threshold": 0.7, "min_size": 8}, None)
    assert "Fitted to 12 painted cells: AP50 0.83 on these cells, 0.50 with" in dock.status.value
    assert sliders["min_size"].value == 8


def test_of_several_painted_layers_one_has_to_be_chosen(dock, viewer, client, qtbot, cells):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    dock.settings.thresholds.fit.native.click()
    qtbot.waitUntil(lambda: "Nothing is painted on 'cells'" in dock.status.value)
    paint(viewer, "one"), paint(viewer, "two")
    dock.settings.thresholds.fit.native.click()
    qtbot.waitUntil(lambda: "('one', 'two'): choose those to fit to" in dock.status.value)
    assert len(client.jobs) == 1


def test_fitting_takes_a_segmentation_first(dock, viewer, client, qtbot, cells):
    paint(viewer)
    dock.settings.thresholds.fit.native.click()
    qtbot.waitUntil(lambda: "segment the image with this model first" in dock.status.value)
    assert client.jobs == []


def test_thresholds_are_kept_in_the_model(
    dock, viewer, client, qtbot, cells, library, models_folder, sliders
):
    segment(dock, client, qtbot, np.ones((20, 30), np.uint32))
    sliders["min_size"].value = 40
    decoded(client, np.ones((20, 30)))
    qtbot.waitUntil(lambda: "thresholds" in dock.status.value)
    dock.settings.thresholds.keep.native.click()
    job = next_job(client, qtbot, 3)
    assert job == KeepThresholdsJob("nuclei", {"min_size": 40}, None, {})
    library("nuclei", thresholds=THRESHOLDS | {"min_size": 40})
    (models_folder / "nuclei.unet").write_bytes(b"new")
    client.say(JobFinished({"model": str(models_folder / "nuclei.unet")}))
    qtbot.waitUntil(lambda: dock.status.value == "The thresholds are kept in 'nuclei'.")
    assert dock.settings.thresholds.changed() == {}
    sliders["min_size"].value = 20  # the result and its maps belong to the new file
    assert next_job(client, qtbot, 4).thresholds == {"min_size": 20}
    decoded(client, np.full((20, 30), 1))
    qtbot.wait(50)
    assert len(viewer.layers) == 2
