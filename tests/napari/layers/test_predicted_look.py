"""Predicted labels do not look like paint."""

import gc

import numpy as np
import pytest

from unet_napari._napari.layers.results import Purpose, show_result

PURPOSE = Purpose("cells", key="a model")


@pytest.fixture
def cells() -> np.ndarray:
    labels = np.zeros((40, 50), np.uint32)
    labels[5:15, 5:15] = 7
    return labels


@pytest.fixture
def prediction(viewer, cells):
    image = viewer.add_image(np.zeros((40, 50)), name="cells")
    return show_result(viewer, image, "YX", cells, PURPOSE)


def test_cells_are_outlines_in_colours_that_paint_has_not(viewer, prediction, cells):
    painted = viewer.add_labels(cells)
    assert prediction.contour > 0
    assert painted.contour == 0
    assert tuple(prediction.get_color(7)) != tuple(painted.get_color(7))


def test_they_are_filled_while_the_user_paints_on_them(prediction):
    prediction.contour = 3  # the user's own choice comes back afterwards
    for mode in ("paint", "erase", "fill"):
        prediction.mode = mode
        assert prediction.contour == 0
    prediction.mode = "pan_zoom"
    assert prediction.contour == 3


def test_the_3d_display_has_no_outlines_and_warns_of_none(viewer, prediction):
    viewer.add_image(np.zeros((3, 40, 50)))
    viewer.dims.ndisplay = 3  # a warning would be an error here
    assert prediction.contour == 0
    viewer.dims.ndisplay = 2
    assert prediction.contour > 0


def test_a_very_large_plane_is_filled_but_more_transparent_than_paint(viewer, cells):
    large = np.zeros((1500, 1500), np.uint32)
    image = viewer.add_image(np.zeros((1500, 1500), np.uint8))
    shown = show_result(viewer, image, "YX", large, PURPOSE)
    assert shown.contour == 0
    assert shown.opacity < viewer.add_labels(cells).opacity


def test_a_removed_prediction_is_not_followed_any_more(viewer, prediction):
    before = len(viewer.dims.events.ndisplay.callbacks)
    viewer.layers.remove(prediction)
    del prediction
    gc.collect()
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    assert len(viewer.dims.events.ndisplay.callbacks) <= before
