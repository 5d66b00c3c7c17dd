"""What is chosen in the Segment dock: channel, pixel size, thresholds, model."""

import os

import numpy as np
import pytest
import tifffile

from segment_runs import run, start
from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.widgets.model_combo import model_saved
from unet_napari.engine import (
    ArraysReady,
    JobFinished,
)
from unet_napari.engine.arrays import open_ref


@pytest.fixture
def dock(segment_dock):
    return segment_dock


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((20, 30), {"channels": 3}, ("3 channels", "1 channel", "'cells'")),
        ((20, 30), {"ndim": 3}, ("3D model", "'cells'")),
    ],
)
def test_an_image_that_does_not_suit_the_model_is_refused_by_name(
    dock, viewer, library, shape, options, words
):
    library("other", **options)
    dock.model.reset_choices()
    viewer.add_image(np.zeros(shape), name="cells")
    dock.model.value = "other"
    assert not dock.run.enabled
    for word in ("'other'", *words):
        assert word in dock.status.value


@pytest.mark.parametrize(("axes", "channels"), [("CZYX", 3), ("ZYXC", 4)])
def test_one_channel_is_segmented_alone(dock, viewer, client, qtbot, axes, channels):
    pixels = np.zeros((channels, 2, 60, 80), np.uint8)
    pixels += np.arange(80, dtype=np.uint8)
    pixels += 10 * np.arange(channels, dtype=np.uint8)[:, None, None, None]
    image = np.moveaxis(pixels, 0, axes.index("C"))
    names = list(axes.lower().removesuffix("c"))
    viewer.add_image(image, name="cells", rgb=axes[-1] == "C", axis_labels=names)
    assert "Choose a Channel (under Data)" in dock.status.value
    dock.channel.value = "2"
    assert "channel 2" in dock.found.value
    dock.measure.value = True
    labels = np.zeros((2, 60, 80), np.uint32)
    labels[1, 10:20, 30:40] = 1
    assert run(dock, client, qtbot, labels, objects=1).image.fixed == {"C": 2}
    layer = viewer.layers["cells · nuclei · channel 2"]
    assert layer.data.max() == 1
    dock.scope.value = "slice"
    viewer.dims.set_point(axes.index("Z"), 1)
    job = start(dock, client, qtbot)
    assert job.image.fixed == {"C": 2}
    ((low,), (high,)) = job.statistics["low"], job.statistics["high"]
    assert 20 <= low < high <= 99
    client.say(ArraysReady(labels[1]))
    client.say(JobFinished({"objects": None}))
    qtbot.waitUntil(lambda: "intensity_mean" in layer.features)
    assert layer.features["intensity_mean"].tolist() == pytest.approx([34.5 + 20])
    dock.channel.value = "0"
    dock.scope.value = "whole"
    run(dock, client, qtbot, labels, objects=1)
    assert "cells · nuclei · channel 0" in viewer.layers


@pytest.mark.parametrize("channel", ["3", "-1"])
def test_a_channel_that_there_is_not_is_refused_by_its_fields_name(dock, viewer, channel):
    viewer.add_image(np.zeros((20, 30, 3), np.uint8), name="cells", rgb=True)
    dock.channel.value = channel
    assert not dock.run.enabled
    assert f"Channel (under Data) is {channel}, but 'cells' has 3 channels" in dock.status.value


def test_a_different_pixel_size_is_told_with_the_factor(dock, viewer, library):
    library("fine", pixel_size={"Y": 0.2, "X": 0.2})
    dock.model.reset_choices()
    viewer.add_image(np.zeros((20, 30)), scale=(0.5, 0.5), units=("um", "um"))
    dock.model.value = "fine"
    assert dock.run.enabled
    assert "2.5 times as large" in dock.found.value


def test_the_pixel_size_of_the_file_is_offered(dock, viewer, tmp_path, qtbot):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(
        path,
        np.zeros((12, 40, 50), np.uint8),
        imagej=True,
        resolution=(4, 4),
        metadata={"axes": "ZYX", "spacing": 0.5, "unit": "um"},
    )
    (layer,) = viewer.open(path, plugin="napari")
    qtbot.waitUntil(lambda: dock["apply_size"].native.isVisibleTo(dock.native))
    assert "0.25 µm" in dock["apply_size"].text
    dock["apply_size"].native.click()
    assert layer.scale.tolist() == [0.5, 0.25, 0.25]
    assert {str(unit) for unit in layer.units} == {"micrometer"}


def test_every_field_has_a_tooltip(dock):
    assert [field.name for field in dock if not field.tooltip] == []


@pytest.mark.parametrize(
    ("slicewise", "objects", "words"),
    [
        (False, 34, "Done: 34 cells in 5 slices."),
        (True, 266, "Done: 266 outlines in 5 slices, not joined."),
    ],
)
def test_what_was_found_in_a_stack_is_told(dock, viewer, client, qtbot, slicewise, objects, words):
    viewer.add_image(np.zeros((5, 20, 30)), name="cells")
    assert "slices become 3D cells" in dock.found.value
    dock.settings.slicewise.value = slicewise
    assert ("slice by slice" in dock.found.value) is slicewise
    job = run(dock, client, qtbot, np.ones((5, 20, 30), np.uint32), objects=objects)
    assert job.config["slicewise"] is slicewise
    assert dock.status.value == words


@pytest.mark.parametrize(
    ("objects", "words"), [(None, "Done."), (1, "Done: 1 cell."), (1234, "Done: 1,234 cells.")]
)
def test_what_was_found_is_told(dock, viewer, client, qtbot, objects, words):
    viewer.add_image(np.zeros((20, 30)))
    run(dock, client, qtbot, np.ones((20, 30), np.uint32), objects=objects)
    assert dock.status.value == words


def test_context_is_shown_to_the_network_and_cut_off_again(dock, viewer, client, qtbot, library):
    library("halo", halo=(20, 30))
    dock.model.reset_choices()
    dock.model.value = "halo"
    pixels = np.arange(200 * 300, dtype=np.float32).reshape(200, 300)
    image = viewer.add_image(pixels, name="plane")
    dock.scope.value = "view"
    image.corner_pixels = np.array([[10, 100], [59, 149]])
    job = run(dock, client, qtbot, np.ones((50, 50), np.uint32))
    np.testing.assert_array_equal(open_ref(job.image.data), pixels[0:80, 70:180])
    assert job.inner == ((10, 60), (30, 80))


def test_thresholds_are_the_models_until_they_are_changed(dock, viewer, client, qtbot, library):
    library("tuned", thresholds={"boundary_threshold": 0.4, "min_size": 12})
    library("classes", task="semantic")
    dock.model.reset_choices()
    viewer.add_image(np.zeros((20, 30)))
    fields = dock.settings.thresholds.sliders
    dock.model.value = "tuned"
    assert fields["boundary_threshold"].value == 0.4
    assert fields["min_size"].value == 12
    assert run(dock, client, qtbot, np.ones((20, 30), np.uint32)).thresholds == {}
    fields["min_size"].value = 40
    job = run(dock, client, qtbot, np.ones((20, 30), np.uint32))
    assert job.thresholds == {"min_size": 40}
    dock.model.value = "classes"
    assert not any(field.enabled for field in fields.values())
    dock.model.value = "tuned"
    assert fields["min_size"].value == 12


def test_a_new_model_is_chosen_unless_the_user_has_chosen(dock, library, models_folder, qtbot):
    library("trained")
    os.utime(models_folder / "nuclei.unet", (0, 0))
    model_saved.emit("trained")
    assert dock.model.value == "trained"
    dock.model.value = "nuclei"
    library("better")
    model_saved.emit("better")
    assert dock.model.value == "nuclei"
    assert "better" in dock.model.choices


def test_the_users_own_model_goes_before_a_bundled_one(viewer, job, library, models_folder):
    library("general", bundled=True)
    assert SegmentDock(viewer, job).model.value == "general"
    library("mine")
    os.utime(models_folder / "mine.unet", (0, 0))
    dock = SegmentDock(viewer, job)
    assert dock.model.value == "mine"
    assert "Comes with" not in dock.model.native.toolTip()
    dock.model.value = "general"
    assert dock.model.native.currentText() == "general"
    assert "Comes with unet-napari:\ngeneral" in dock.model.native.toolTip()
