"""The correction tools in a window: buttons, keys and the mouse."""

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.interactions import (
    mouse_double_click_callbacks,
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)

from unet_napari._napari.corrections.keys import KEY_TABLE
from unet_napari._napari.layers.layer_axes import ViewPlace
from unet_napari._napari.layers.results import Purpose, write_result

SHAPE = (60, 80)


@pytest.fixture
def dock(train_dock):
    return train_dock


@pytest.fixture
def found():
    labels = np.zeros(SHAPE, np.uint32)
    labels[5:15, 5:15], labels[5:15, 16:26], labels[30:40, 10:50] = 1, 2, 3
    return labels


@pytest.fixture
def ready(dock, viewer, found):
    """An image, an empty labels layer, and a prediction."""
    image = viewer.add_image(np.zeros(SHAPE), name="cells")
    dock.new.native.click()
    write_result(viewer, image, "YX", found, ViewPlace(), Purpose("prediction", "live prediction"))
    dock.reset_choices()
    return dock


def drag(viewer, *points):
    """Press at the first point, move along the others, and release."""
    event = SimpleNamespace(button=1, modifiers=(), handled=False, is_dragging=True)
    for number, point in enumerate(points):
        event.position, event.pos = point, np.array(point) * 4
        event.type = "mouse_press" if number == 0 else "mouse_move"
        (mouse_press_callbacks if number == 0 else mouse_move_callbacks)(viewer, event)
    event.type = "mouse_release"
    mouse_release_callbacks(viewer, event)


def said(dock):
    return str(dock.corrected.value)


def test_there_are_no_tools_without_a_prediction(dock, viewer):
    assert not dock.correcting.tools.area.isVisibleTo(dock.native)
    viewer.add_image(np.zeros(SHAPE), name="cells")
    dock.new.native.click()
    assert not dock.correcting.tools.area.isVisibleTo(dock.native)


def test_predicted_cells_are_taken_split_merged_and_rejected_with_the_mouse(ready, viewer, found):
    tools, labels = ready.correcting.tools, ready.labels.value
    assert tools.area.isVisibleTo(ready.native)
    tools.buttons["take"].click()
    assert viewer.layers.selection.active is labels
    drag(viewer, (10.0, 10.0))
    assert said(ready) == "Taken as number 1."
    np.testing.assert_array_equal(labels.data == 1, found == 1)
    tools.buttons["split"].click()
    drag(viewer, (25.0, 30.0), (45.0, 30.0))
    assert said(ready) == "Split into numbers 2 and 3."
    assert "line" not in viewer.layers
    tools.buttons["merge"].click()
    drag(viewer, (10.0, 10.0), (10.0, 20.0))
    assert said(ready) == "Merged as number 1."
    assert (labels.data[8:12, 5:26] == 1).all()
    labels.undo()
    labels.undo()
    np.testing.assert_array_equal(labels.data, np.where(found == 1, 1, 0))
    tools.buttons["reject"].click()
    drag(viewer, (35.0, 20.0))
    assert "background" in said(ready)
    np.testing.assert_array_equal(labels.data > 1, found == 3)


def test_a_loop_takes_what_lies_in_it_and_a_double_click_all_on_the_screen(ready, viewer):
    before = len(viewer.mouse_double_click_callbacks)
    ready.correcting.tools.choose("take")
    drag(viewer, (1.0, 1.0), (20.0, 1.0), (20.0, 30.0), (1.0, 30.0))
    assert said(ready) == "2 cells taken."
    event = SimpleNamespace(
        type="mouse_double_click", button=1, position=(0.0, 0.0), pos=(0, 0), handled=False
    )
    ready.labels.value.corner_pixels = np.array([[0, 0], [59, 79]])
    mouse_double_click_callbacks(viewer, event)
    assert said(ready) == "1 cell taken."
    assert len(viewer.mouse_double_click_callbacks) == 1  # not napari's own, which zooms in
    ready.correcting.tools.choose("")
    assert len(viewer.mouse_double_click_callbacks) == before


def test_napari_s_own_tools_and_the_key_lay_a_tool_down(ready, viewer):
    tools, labels = ready.correcting.tools, ready.labels.value
    tools.choose("take")
    assert not labels.mouse_pan
    labels.mode = "paint"
    assert tools.in_hand == ""

    key = next(key for key in labels.keymap if str(key) == "S")
    labels.keymap[key](labels)
    assert tools.in_hand == "split"
    labels.keymap[key](labels)
    assert tools.in_hand == ""
    assert labels.mouse_pan


def test_no_key_is_one_of_napari_s(ready):
    labels = ready.labels.value
    taken = {str(key) for key in type(labels).class_keymap}
    assert {str(key) for key in labels.keymap} & taken == set()
    assert {str(key) for key in labels.keymap} == {
        entry.key.replace("-", "+") for entry in KEY_TABLE
    }
    viewers_own = {str(key) for key in ViewerModel.class_keymap}
    assert {str(key) for key in labels.keymap} & viewers_own == set()


def test_the_mouse_moves_the_camera_where_no_tool_is_in_hand(ready, viewer):
    drag(viewer, (10.0, 10.0))
    assert not ready.labels.value.data.any()


def test_a_closed_dock_leaves_the_viewer_as_it_was(ready, viewer):
    tools, labels = ready.correcting.tools, ready.labels.value
    tools.choose("merge")
    ready.close()
    assert tools._on_drag not in viewer.mouse_drag_callbacks
    assert labels.mouse_pan
    assert dict(labels.keymap) == {}


def test_labels_on_a_grid_of_their_own_are_explained(ready, viewer):
    labels = viewer.add_labels(np.zeros((30, 40), np.uint16), scale=(2, 2), name="coarse")
    ready.labels.value = labels
    ready.correcting.tools.choose("take")
    assert "'coarse' has other pixels" in said(ready)
    assert ready.correcting.tools.in_hand == ""
