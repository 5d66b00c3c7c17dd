"""A region of a Shapes layer is a scope of the Segment dock."""

import numpy as np
import pytest

from segment_runs import start
from unet_napari.engine import ArraysReady, JobFinished, SegmentRegionJob
from unet_napari.engine.arrays import open_ref

SQUARE = np.array([[4, 6], [4, 20], [14, 20], [14, 6]], float)


@pytest.fixture
def dock(segment_dock):
    return segment_dock


def finish(dock, client, qtbot, labels, windows, **output):
    """Deliver labels, of which the engine sends a part, and a map of rows 2 to 30."""
    client.say(ArraysReady(labels[1:, 3:], np.full((1, 1, 28, 60), 0.5, np.float32), **output))
    objects = int(np.count_nonzero(np.unique(labels)))
    found = {"objects": objects, "highest": int(labels.max()), "windows": windows}
    starts = {"start": (1, 3, 0), "maps_start": (1, 2, 0)}
    client.say(JobFinished({**found, **starts, "unfamiliar": None}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")


def test_what_is_missing_is_said_until_a_shape_is_drawn(dock, viewer):
    viewer.add_image(np.zeros((5, 40, 60)), name="stack", axis_labels="zyx", scale=(3, 2, 2))
    assert not dock.region.visible
    dock.scope.value = "region"
    assert dock.region.native.isVisibleTo(dock.native)
    assert "choose a Shapes layer, or draw one (Draw)" in dock.status.value
    assert not dock.run.enabled
    dock.draw.native.click()
    shapes = viewer.layers["stack · region"]
    assert dock.region.value is shapes
    assert (shapes.ndim, shapes.mode, shapes.scale.tolist()) == (2, "add_polygon", [2, 2])
    assert dock.status.value.endswith("draw rectangles, ellipses or polygons in 'stack · region'.")
    shapes.add_paths([SQUARE])
    assert "lines and paths enclose nothing" in dock.status.value
    shapes.add_polygons([SQUARE])
    assert dock.run.enabled
    assert dock.status.value == ""
    dock.scope.value = "whole"
    assert not dock.region.native.isVisibleTo(dock.native)


def test_shapes_that_are_there_are_chosen_the_active_ones_first(dock, viewer, qtbot):
    viewer.add_image(np.zeros((40, 60)), name="cells")
    first = viewer.add_shapes([SQUARE], name="first")
    viewer.add_shapes([SQUARE + 100], name="second")
    viewer.layers.selection.active = first
    dock.scope.value = "region"
    assert dock.region.value is first
    dock.region.value = viewer.layers["second"]
    dock.run.native.click()
    assert "The shapes of 'second' hold no pixel of 'cells'" in dock.status.value
    dock.region.value = first
    dock.maps.value, dock.settings.attention.enabled = True, True
    dock.settings.attention.value = True
    dock.run.native.click()
    qtbot.waitUntil(lambda: "not of a region" in dock.status.value)


@pytest.mark.parametrize("axes", ["tyx", "zyx"])
def test_a_region_changes_nothing_outside_of_it(dock, viewer, client, qtbot, axes):
    pixels = np.arange(2 * 40 * 60).reshape(2, 40, 60).astype(np.uint16)
    viewer.add_image(pixels, name="cells", axis_labels=axes)
    shape = np.insert(SQUARE, 0, 1, axis=1)  # in slice or frame 1
    viewer.add_shapes([shape], shape_type="rectangle", name="part")
    dock.scope.value = "region"
    dock.measure.value = dock.maps.value = True
    job = start(dock, client, qtbot)
    assert isinstance(job, SegmentRegionJob)
    letter = axes[0].upper()
    assert job.region == f"YX=(4 6, 4 20, 14 20, 14 6),{letter}=1"
    assert open_ref(job.image.data).shape == pixels.shape  # the engine takes what it needs
    labels = np.zeros(pixels.shape, np.uint32)
    labels[1, 5:9, 8:12], labels[1, 12:17, 15:19] = 1, 2
    finish(dock, client, qtbot, labels, [((1,), ((3, 30), (0, 40)))], map_names=("foreground",))
    assert dock.status.value == "Done: 2 cells in the region."
    layer = viewer.layers["cells · nuclei"]
    np.testing.assert_array_equal(layer.data, labels)
    shown = viewer.layers["cells · nuclei · foreground"].data
    assert (shown[1, 6:13, 8:19] == 0.5).all()
    assert np.count_nonzero(shown) < 200
    qtbot.waitUntil(lambda: len(layer.features) == 2)
    assert layer.features["area"].tolist() == [16, 20]
    assert layer.features["intensity_mean"][0] == pytest.approx(pixels[1, 5:9, 8:12].mean())

    viewer.layers["part"].data = [shape + np.array([0, 0, 20])]  # another region
    start(dock, client, qtbot)
    more = np.zeros(pixels.shape, np.uint32)
    more[1, 5:9, 30:34] = 1
    finish(dock, client, qtbot, more, [((1,), ((3, 30), (20, 55)))], map_names=("foreground",))
    labels[more > 0] = 3
    np.testing.assert_array_equal(layer.data, labels)
    qtbot.waitUntil(lambda: len(layer.features) == 3)
