"""The Segment dock with a model whose thresholds are known, and an image."""

import numpy as np
import pytest

from segment_runs import THRESHOLDS
from unet_napari._napari.docks.segment_dock import SegmentDock


@pytest.fixture
def dock(viewer, job, library):
    library("nuclei", thresholds=THRESHOLDS)
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    return dock


@pytest.fixture
def sliders(dock):
    return dock.settings.thresholds.sliders


@pytest.fixture
def cells(viewer):
    return viewer.add_image(np.zeros((20, 30)), name="cells")
