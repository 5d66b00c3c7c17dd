"""What is in view is what is seen, and a view over a whole result changes no other cell."""

from pathlib import Path

import numpy as np
import pytest

import unet_napari
from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.layers.layer_axes import current_slice, current_view
from unet_napari.engine import ArraysReady, JobFinished
from unet_napari.engine.arrays import open_ref
from unet_napari.images.synthetic import nuclei

PATIENCE = 180_000  # milliseconds; importing torch on a busy machine takes most of it
ORDERS = {"YX": (0, 1, 2), "ZX": (1, 0, 2), "XZ": (1, 2, 0), "ZY": (2, 0, 1)}


@pytest.fixture
def stack(viewer):
    layer = viewer.add_image(np.zeros((30, 40, 50)), name="stack", axis_labels="zyx")
    viewer.dims.set_point((0, 1, 2), (11, 22, 33))
    yield layer
    viewer.dims.ndisplay = 2
    viewer.dims.order = (0, 1, 2)


@pytest.mark.parametrize("plane", ORDERS)
def test_the_slice_is_the_plane_that_the_canvas_shows(viewer, stack, plane):
    viewer.dims.order = ORDERS[plane]
    hidden = {"Z": 11, "Y": 22, "X": 33}
    index = {letter: at for letter, at in hidden.items() if letter not in plane}
    assert current_slice(viewer, stack, "ZYX").index == index
    stack.corner_pixels = np.array([[2, 3, 4], [5, 6, 7]])
    view = current_view(viewer, stack, "ZYX")
    assert view.index == index
    corners = {"Z": slice(2, 6), "Y": slice(3, 7), "X": slice(4, 8)}
    assert view.region == {letter: corners[letter] for letter in plane}


def test_in_3d_everything_is_in_view(viewer, stack):
    viewer.dims.ndisplay = 3
    assert current_view(viewer, stack, "ZYX").index == {}
    assert current_slice(viewer, stack, "ZYX").index == {"Z": 11}


@pytest.fixture
def dock(viewer, job, library):
    library("plane")
    library("volume", ndim=3, halo=(4, 9, 9))
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    return dock


@pytest.mark.parametrize("model", ["plane", "volume"])
def test_a_slice_seen_from_the_side_is_segmented(dock, viewer, client, stack, qtbot, model):
    dock.model.value = model
    dock.scope.value = "slice"
    viewer.dims.order = ORDERS["ZX"]
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    job = client.jobs[-1]
    assert job.image.axes == "ZYX"
    assert job.config["slicewise"] is False
    assert job.inner[0] == (0, 30)
    assert job.inner[2] == (0, 50)
    assert np.diff(job.inner[1]).tolist() == [1]
    labels = np.zeros(open_ref(job.image.data).shape, np.uint32)
    labels[5:9, :, 10:20] = 3
    client.say(ArraysReady(labels))
    client.say(JobFinished({"objects": 1}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    data = viewer.layers[f"stack · {model}"].data
    assert (data[5:9, 22, 10:20] > 0).all()
    assert np.count_nonzero(data) == 4 * 10
    assert dock.status.value == "Done: 1 cell."


def test_time_against_x_is_no_slice_and_is_refused(dock, viewer, client):
    viewer.add_image(np.zeros((30, 40, 50)), name="film", axis_labels="tyx")
    viewer.dims.order = ORDERS["ZX"]
    dock.scope.value = "view"
    dock.run.native.click()
    assert "the axes T and X" in dock.status.value
    assert client.jobs == []
    viewer.dims.order = (0, 1, 2)


def test_views_over_a_whole_result_change_no_cell(viewer, qtbot):
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Segment with U-Net")
    dock.model.value = Path(unet_napari.__file__).parent / "models" / "nuclei.unet"
    image, _ = nuclei((384, 512), count=90, seed=5)
    layer = viewer.add_image(image, name="cells")

    def run(scope):
        dock.scope.value = scope
        dock.run.native.click()
        qtbot.waitUntil(lambda: dock.run.text == "Segment", timeout=PATIENCE)
        return viewer.layers["cells · nuclei"].data.copy()

    whole = run("whole")
    count = len(np.unique(whole))
    assert count > 60
    for top, left, height, width in ((100, 150, 90, 120), (3, 200, 60, 60), (40, 0, 300, 333)):
        layer.corner_pixels = np.array([[top, left], [top + height, left + width]])
        after = run("view")
        assert np.array_equal(np.unique(after), np.unique(whole))
        assert np.mean(after != whole) < 0.001
    viewer.layers.remove("cells · nuclei")
    for left in (100, 160):  # two views that overlap
        layer.corner_pixels = np.array([[100, left], [200, left + 99]])
        after = run("view")
    inside = np.unique(whole[105:195, 105:255])
    for number in inside[inside > 0]:
        assert len(np.unique(after[(whole == number) & (after > 0)])) == 1
    assert len(np.unique(after)) - 1 == len(np.unique(whole[100:201, 100:260])) - 1
