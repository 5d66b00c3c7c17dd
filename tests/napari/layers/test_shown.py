"""Labels of a large image are a pyramid of views of one array."""

import numpy as np
import pytest

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.layers import shown
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari._napari.layers.shown import shown_data
from unet_napari.engine import ArraysReady, JobFinished
from unet_napari.engine.arrays import open_ref


def test_a_large_plane_has_levels_that_share_its_memory():
    array = np.zeros((2, 9000, 9000), np.uint8)
    data = shown_data(array)
    sizes = (9000, 4500, 2250, 1125, 563, 282, 141)
    assert [level.shape for level in data] == [(2, n, n) for n in sizes]
    assert all(np.shares_memory(level, array) for level in data)
    assert shown_data(array[:, :8000, :8000]).shape == (2, 8000, 8000)


@pytest.mark.parametrize("scope", ["view", "whole"])
def test_the_labels_of_a_large_image_are_written_and_updated(
    viewer, job, client, library, qtbot, monkeypatch, scope
):
    monkeypatch.setattr(shown, "_LARGEST_PLANE", 1000)
    monkeypatch.setattr(shown, "_SMALLEST_LEVEL", 40)
    library("nuclei")
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    pyramid = [np.zeros((64, 96)), np.zeros((32, 48))]
    image = viewer.add_image(pyramid, multiscale=True, name="slide")
    dock.scope.value = scope
    for number in (1, 2):
        image.corner_pixels = np.array([[0, 0], [31, 47]])
        dock.run.native.click()
        qtbot.waitUntil(lambda n=number: len(client.jobs) == n)
        labels = np.zeros(open_ref(client.jobs[-1].image.data).shape, np.uint32)
        labels[8 * number : 8 * number + 8, 16:32] = 1
        client.say(ArraysReady(labels))
        client.say(JobFinished({"objects": 1}))
        qtbot.waitUntil(lambda: dock.run.text == "Segment")
        (layer,) = [layer for layer in viewer.layers if layer is not image]
        assert layer.multiscale
        assert not layer.editable
        assert [level.shape for level in layer.data] == [(64, 96), (32, 48), (16, 24)]
        assert np.count_nonzero(array_of(layer)) == 8 * 16
        assert np.count_nonzero(layer.data[2]) == 2 * 4
        assert array_of(layer)[8 * number, 16] > 0
