import numpy as np
import pytest
from napari.components import ViewerModel

from napari.layers import Labels
from unet_napari._napari.layers.background_paint import (
    background_number,
    hold_background,
    is_background_held,
    reserve_background,
)
from unet_napari.errors import LabelsError

GREY = [0.55, 0.55, 0.55, 1]


def painted(dtype=np.uint16):
    labels = np.zeros((30, 40), dtype)
    labels[2:6, 2:6], labels[10:16, 10:16] = 3, 60
    return Labels(labels)


@pytest.mark.parametrize(
    ("dtype", "number"), [(np.uint8, 255), (np.uint16, 65535), (np.int32, 65535)]
)
def test_the_reserved_number_is_grey_and_the_others_keep_their_colours(dtype, number):
    layer = painted(dtype)
    before = [layer.get_color(label) for label in (1, 3, 49, 50, 60)]
    assert background_number(layer) is None
    assert reserve_background(layer) == number == background_number(layer)
    assert layer.get_color(number).tolist() == pytest.approx(GREY)
    after = [layer.get_color(label) for label in (1, 3, 49, 50, 60)]
    np.testing.assert_array_equal(before, after)
    assert reserve_background(layer) == number  # nothing happens the second time


def test_the_brush_changes_between_background_and_a_new_cell():
    layer = painted()
    assert not is_background_held(layer)
    hold_background(layer)
    assert is_background_held(layer)
    assert (layer.selected_label, layer.mode) == (65535, "paint")
    layer.paint((25, 25), 65535)
    hold_background(layer)
    assert (layer.selected_label, layer.mode) == (61, "paint")


def test_the_key_for_a_new_label_goes_past_the_background():
    viewer = ViewerModel()
    layer = painted()
    viewer.add_layer(layer)
    hold_background(layer)
    layer.paint((25, 25), 65535)
    (action,) = [a for key, a in layer.keymap.items() if str(key).lower() == "m"]
    action(layer)
    assert layer.selected_label == 61


def test_a_number_that_is_a_cell_is_not_reserved():
    layer = painted(np.uint8)
    layer.data[20, 20] = 255
    with pytest.raises(LabelsError, match="255 is painted already"):
        reserve_background(layer)
    assert background_number(layer) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.int64])
def test_background_is_grey_in_a_shown_layer_of_every_type(viewer, dtype):
    layer = viewer.add_labels(np.zeros((20, 30), dtype))
    before = layer.get_color(7)
    number = reserve_background(layer)
    layer.paint((5, 5), number)
    np.testing.assert_allclose(layer.get_color(number)[:3], 0.55, atol=0.01)
    np.testing.assert_allclose(layer.get_color(7), before, atol=0.01)
