"""From one doubtful cell to the next, with one key for each answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unet_napari._napari.corrections.keys import KEY_TABLE, key_lines
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.layers.layer_axes import ViewPlace
from unet_napari._napari.layers.results import Purpose, latest_labels, write_result
from unet_napari._napari.layers.spots import Spot, note_ranker, note_spots, placed, spots_of
from unet_napari.errors import EngineError
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject, runs_of

SHAPE = (60, 80)
PURPOSE = Purpose("prediction", "live prediction")
SPOTS = [
    Spot(0.9, "two seeds, weak boundary", (35, 30), size=400),
    Spot(0.7, "weak boundary", (10, 10), size=100),
    Spot(0.4, "unusually small", (10, 20), size=100),
]


@pytest.fixture
def found():
    labels = np.zeros(SHAPE, np.uint32)
    labels[5:15, 5:15], labels[5:15, 16:26], labels[30:40, 10:50] = 1, 2, 3
    return labels


@pytest.fixture
def ready(viewer, job, found):
    """An image, an empty labels layer, and a prediction that is known to be doubtful."""
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Train U-Net")
    image = viewer.add_image(np.zeros(SHAPE), name="cells")
    dock.new.native.click()
    layer = write_result(viewer, image, "YX", found, ViewPlace(), PURPOSE)
    note_spots(layer, SPOTS)
    dock.reset_choices()
    dock.labels.value.corner_pixels = np.array([[0, 0], [59, 79]])
    return dock


def press(dock, key):
    labels = dock.labels.value
    binding = next(known for known in labels.keymap if str(known) == key)
    labels.keymap[binding](labels)
    labels.corner_pixels = np.array([[0, 0], [59, 79]])


def said(dock):
    return str(dock.corrected.value)


def present(dock):
    return dock.correcting.tools.queue._present()


def test_n_goes_to_the_most_doubtful_cell_and_says_why(ready, viewer):
    press(ready, "N")
    assert said(ready).startswith("Doubt 0.90: two seeds, weak boundary.")
    assert "2 more" in said(ready)
    assert tuple(viewer.scene.camera.center)[1:] == (35.0, 30.0)
    assert viewer.layers.selection.active is ready.labels.value
    assert viewer.layers["doubtful cells"].data.tolist() == [[35.0, 30.0]]
    press(ready, "N")
    assert said(ready).startswith("Doubt 0.70: weak boundary.")
    press(ready, "Shift+N")
    assert present(ready) == SPOTS[0]
    press(ready, "Shift+N")
    assert "no doubtful cell before" in said(ready)


def test_one_key_answers_and_the_next_cell_comes(ready, found):
    labels = ready.labels.value
    press(ready, "N")
    press(ready, "S")
    assert set(np.unique(labels.data[found == 3])) == {1, 2}
    halves = np.bincount(labels.data[found == 3])[1:]
    assert min(halves) > 150
    assert said(ready).startswith("Split into numbers 1 and 2. Doubt 0.70")
    press(ready, "J")
    assert "Merged as number 3." in said(ready)
    assert (labels.data[8:12, 5:26] == 3).all()
    # The third lay in the merged cell, so that it is settled.
    assert "All doubtful cells were looked at, none left open." in said(ready)
    labels.undo()
    labels.undo()
    assert not labels.data.any()


def test_right_and_not_a_cell(ready, found):
    labels = ready.labels.value
    press(ready, "N")
    press(ready, "T")
    assert (labels.data[found == 3] == 1).all()
    press(ready, "R")
    assert (labels.data[found == 1] > 1).all()
    assert present(ready) == SPOTS[2]
    assert ready.correcting.tools.in_hand == ""


def test_what_is_settled_does_not_come_back_and_what_was_passed_does(ready, found):
    press(ready, "N")
    press(ready, "T")
    press(ready, "N")
    press(ready, "N")
    assert "All doubtful cells were looked at, 2 left open. N begins again." in said(ready)
    press(ready, "N")
    assert present(ready) == SPOTS[1]


def test_a_key_means_the_tool_where_the_cell_is_not_on_the_screen(ready):
    press(ready, "N")
    ready.labels.value.corner_pixels = np.array([[0, 0], [20, 20]])
    labels = ready.labels.value
    binding = next(known for known in labels.keymap if str(known) == "T")
    labels.keymap[binding](labels)
    assert ready.correcting.tools.in_hand == "take"
    assert not labels.data.any()


def test_a_painted_cell_that_is_predicted_otherwise_is_kept_or_rejected(ready, viewer, found):
    labels, prediction = ready.labels.value, viewer.layers["cells · prediction"]
    labels.data[50:55, 50:55] = 7
    labels.data[50:55, 60:65] = 8
    odd = [
        Spot(0.9, "painted, but predicted as background", (52, x), painted=True) for x in (52, 62)
    ]
    note_spots(prediction, odd)
    press(ready, "N")
    press(ready, "T")
    assert said(ready).startswith("Number 7 stays as it is painted.")
    assert (labels.data[50:55, 50:55] == 7).all()
    press(ready, "R")
    assert (labels.data[50:55, 60:65] > 8).all()
    note_spots(prediction, odd)
    press(ready, "N")
    assert "none left open" in said(ready)


@pytest.fixture
def dim():
    """A cell that was not found."""
    mask = np.zeros((8, 6), bool)
    mask[1:7, 1:5] = True
    window = ((45, 53), (60, 66))
    return Spot(
        0.95, "perhaps a missed cell", (48, 62), size=24, missed=True, box=window, mask=mask
    )


def test_a_missed_cell_is_painted_as_it_nearly_was_found(ready, viewer, found, dim):
    labels = ready.labels.value
    note_spots(latest_labels(viewer, ready.image.value, besides=ready.image.value), [dim, *SPOTS])
    press(ready, "N")
    assert present(ready) == dim
    assert said(ready) == (
        "Doubt 0.95: perhaps a missed cell. T a cell, R no cell, N next. 3 more."
    )
    press(ready, "S")
    assert said(ready).startswith("Nothing was found here: T paints it")
    assert not labels.data.any()
    press(ready, "T")
    assert present(ready) == SPOTS[0]
    assert np.argwhere(labels.data).min(0).tolist() == [46, 61]
    assert np.count_nonzero(labels.data) == 24
    labels.undo()
    assert not labels.data.any()


def test_a_missed_cell_that_is_none_becomes_background(ready, viewer, dim):
    labels = ready.labels.value
    note_spots(latest_labels(viewer, ready.image.value, besides=ready.image.value), [dim])
    press(ready, "N")
    press(ready, "R")
    assert np.count_nonzero(labels.data == 65535) == 24
    assert "none left open" in said(ready)


def test_a_missed_cell_that_was_passed_or_found_does_not_come_back(ready, viewer, found, dim):
    layer = latest_labels(viewer, ready.image.value, besides=ready.image.value)
    note_spots(layer, [dim, SPOTS[0]])
    press(ready, "N")
    moved = replace(dim, point=(49, 63))  # by a newer ranking
    note_spots(layer, [moved, SPOTS[0]])
    press(ready, "N")
    assert present(ready) == SPOTS[0]
    again = found.copy()
    again[46:52, 61:65] = 4
    layer = write_result(viewer, ready.image.value, "YX", again, ViewPlace(), PURPOSE)
    note_spots(layer, [dim, SPOTS[0]])
    press(ready, "N")
    press(ready, "N")
    assert present(ready) == SPOTS[0]


def test_the_pixels_of_a_missed_cell_lie_along_the_axes_of_the_labels():
    mask = np.zeros((3, 4), bool)
    mask[0, 1:3] = mask[2, 3] = True
    item = DoubtfulObject(
        0.5, "dim", 0, (6, 9), missed=True, box=((5, 8), (8, 12)), runs=runs_of(mask)
    )
    region, index = {"Z": (10, 30), "X": (5, 45)}, {"Y": 7}
    (spot,) = placed([item], "XYZ", region, index)
    assert spot.point == (14, 7, 16)
    assert spot.box == ((13, 17), (7, 8), (15, 18))
    np.testing.assert_array_equal(spot.mask[:, 0], mask.T)


def test_a_ranking_is_asked_for_and_kept_while_the_prediction_stays(ready, viewer, found):
    prediction = viewer.layers["cells · prediction"]
    asked = []
    note_ranker(prediction, lambda *call: asked.append(call))
    press(ready, "N")
    assert said(ready) == "Looking for doubtful cells…"
    press(ready, "N")  # once is enough
    ((labels, _, failed),) = asked
    assert labels is ready.labels.value
    failed(EngineError("It is gone."))
    assert said(ready) == "It is gone."
    press(ready, "N")
    asked[-1][1](SPOTS[1:])
    assert present(ready) == SPOTS[1]
    image = viewer.layers["cells"]
    write_result(viewer, image, "YX", found[::-1].copy(), ViewPlace(), PURPOSE)
    assert latest_labels(viewer, image, besides=labels) is prediction
    assert spots_of(prediction) is None


def test_without_a_ranking_one_line_says_so(ready, viewer, found):
    image = viewer.layers["cells"]
    write_result(viewer, image, "YX", found[::-1].copy(), ViewPlace(), PURPOSE)
    press(ready, "N")
    assert "let the training go on" in said(ready)


def test_all_are_marked_and_unmarked(ready, viewer):
    press(ready, "A")
    assert len(viewer.layers["doubtful cells"].data) == 3
    assert viewer.layers["doubtful cells"].features["reason"][0] == SPOTS[0].reason
    press(ready, "A")
    assert "doubtful cells" not in viewer.layers
    press(ready, "N")
    assert len(viewer.layers["doubtful cells"].data) == 1
    viewer.layers.remove("doubtful cells")
    press(ready, "N")
    assert len(viewer.layers["doubtful cells"].data) == 1
    ready.close()
    assert "doubtful cells" not in viewer.layers


def test_the_keys_are_listed_over_the_canvas_and_the_overlay_is_given_back(ready, viewer):
    overlay = viewer.canvas.overlays.text
    overlay.text, overlay.visible = "mine", False
    press(ready, "H")
    assert overlay.visible
    assert overlay.text.splitlines() == key_lines()
    assert overlay.position == "top_left"
    assert len(key_lines()) == len(KEY_TABLE)
    assert max(map(len, key_lines())) < 40  # or the canvas cuts them
    press(ready, "H")
    assert (overlay.text, overlay.visible) == ("mine", False)


def test_the_documentation_names_every_key():
    pages = Path(__file__).parents[3] / "docs" / "guide"
    text = (pages / "docks.md").read_text("utf-8") + (pages / "doubt.md").read_text("utf-8")
    assert [entry.key for entry in KEY_TABLE if f"`{entry.key}`" not in text] == []


def test_one_key_hides_the_prediction_and_shows_it(ready, viewer):
    prediction = viewer.layers["cells · prediction"]
    press(ready, "D")
    assert not prediction.visible
    press(ready, "D")
    assert prediction.visible


def test_points_of_a_part_become_pixels_of_the_labels():
    found = [DoubtfulObject(0.5, "weak boundary", 3, (1, 2, 4))]
    (spot,) = placed(found, "TZYX", {"Z": (5, 9), "Y": (10, 20), "X": (0, 9)}, {"T": 6})
    assert spot.point == (6, 6, 12, 4)
    assert (spot.doubt, spot.reason, spot.painted) == (0.5, "weak boundary", False)
