"""From the Train dock to the Segment dock that is open already."""

import numpy as np
import pytest

from unet_napari._napari.docks.engine_dock import EngineDock
from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.ownership import choosers
from unet_napari.errors import EngineError
from unet_napari.images.synthetic import nuclei


@pytest.fixture
def train(viewer, job, library):
    library("older")
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Train")
    return dock


def docks(kind):
    return [dock for dock in choosers if isinstance(dock, kind) and dock.docked]


def test_the_open_dock_is_used_and_gets_image_model_and_axes(viewer, train, client, library):
    segment = SegmentDock(viewer, Job(lambda: client))
    viewer.window.add_dock_widget(segment, name="opened by another name")
    viewer.add_image(np.zeros((20, 30)), name="another")
    image = viewer.add_image(np.zeros((2, 20, 30)), name="channels")
    library("trained", channels=2)
    segment.settings.channel.field.value = "1"  # which the model was not trained on alone
    train.image.value, train.settings.axes.value = image, "CYX"
    train._model = "trained"
    train.segment.native.click()
    assert docks(SegmentDock) == [segment]
    assert len(docks(EngineDock)) == 2
    assert segment.image.value is image
    assert segment.model.value == "trained"
    assert segment.settings.axes.value == "CYX"
    assert segment.settings.channel.field.value == ""
    assert segment.run.enabled
    segment.job.close()


def test_a_dock_is_opened_where_there_is_none(viewer, train):
    image = viewer.add_image(nuclei((64, 64), count=5, seed=1)[0], name="cells")
    train.image.value = image
    train._model = "older"
    train.segment.native.click()
    (segment,) = docks(SegmentDock)
    assert (segment.image.value, segment.model.value) == (image, "older")


def test_a_model_that_a_killed_training_has_kept_is_listed_at_once(viewer, train, client, library):
    segment = SegmentDock(viewer, Job(lambda: client))
    viewer.window.add_dock_widget(segment, name="Segment")
    library("kept")
    assert "kept" not in segment.model.choices
    train.fail(EngineError("The engine process was killed."))
    assert "kept" in segment.model.choices
    segment.job.close()
