"""What the docks say is legible, in place, and names the field that is meant."""

import os

import numpy as np
import pytest
from napari.utils.theme import get_theme
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.widgets.fields import COLOURS
from unet_napari._napari.widgets.fold import Fold


def luminance(red, green, blue):
    parts = [n / 255 for n in (red, green, blue)]
    linear = [n / 12.92 if n <= 0.03928 else ((n + 0.055) / 1.055) ** 2.4 for n in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Return the contrast ratio of WCAG 2, from 1 to 21."""
    dark, light = sorted((luminance(*one), luminance(*other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture
def dock(viewer, job, library):
    library("nuclei", thresholds={"seed_threshold": 0.8, "min_size": 25}, diameter=20.0)
    library("volume", ndim=3)
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="dock")
    dock.model.value = "nuclei"
    return dock


@pytest.fixture
def shown(dock, qtbot):
    """The dock, 300 pixels wide, in a window of its own."""
    dock.native.setParent(None)
    dock.native.resize(300, 650)
    dock.native.show()
    qtbot.waitExposed(dock.native)
    yield dock
    dock.native.deleteLater()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("level", ["error", "warning"])
def test_errors_and_warnings_can_be_read_on_both_themes(viewer, job, qtbot, theme, level):
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="dock")
    before, viewer.theme = viewer.theme, "light" if theme == "dark" else "dark"
    dock.status.say("Something is wrong.", **{level: True})
    viewer.theme = theme
    qtbot.wait(20)
    colour = COLOURS[level][theme == "dark"]
    assert colour in dock.status.native.styleSheet()
    background = get_theme(theme).background.as_rgb_tuple()
    assert contrast([int(colour[i : i + 2], 16) for i in (1, 3, 5)], background) >= 4.5
    viewer.theme = before


def test_no_choice_is_cut_at_the_default_width(shown, qtbot):
    for fold in shown.native.findChildren(Fold):
        fold.headline.setChecked(True)
    qtbot.wait(50)
    for combo in shown.native.findChildren(QComboBox):
        option = QStyleOptionComboBox()
        option.initFrom(combo)
        part = QStyle.SubControl.SC_ComboBoxEditField
        room = combo.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, combo)
        for i in range(combo.count()):
            text = combo.itemText(i)
            assert combo.fontMetrics().horizontalAdvance(text) <= room.width() - 4, text


def test_the_smallest_cell_has_a_unit_and_there_is_one_seed(dock):
    assert dock["unit"].value == "pixels"
    dock.model.value = "volume"
    assert dock["unit"].value == "voxels"
    assert [label.text() for label in dock.captions if "eed" in label.text()] == []


def test_the_models_tooltip_begins_with_what_it_is_for(dock):
    tip = dock.model.native.toolTip()
    assert tip.startswith("For cells in 2D images of 1 channel, about 20 pixels across.")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"memory": "much"}, ("Memory (under Computing)", "'much'")),
        ({"memory": "-1"}, ("Memory (under Computing)", "above 0")),
        ({"tile": "a"}, ("Tile (under Computing)",)),
        ({"rescale": True, "diameter": "30"}, ("Rescale and Diameter (both under Data)",)),
        ({"rescale": True, "maps": True}, ("untick them (under Result)",)),
        ({"precision": "int8", "backend": "torch"}, ("Backend", "under Computing")),
    ],
)
def test_an_error_names_the_field_where_it_is_and_goes_when_it_is_changed(
    dock, viewer, client, fields, words
):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    for name, value in fields.items():
        dock[name].value = value
    dock.run.native.click()
    for word in words:
        assert word in dock.status.value
    assert dock.status.is_error
    assert client.jobs == []
    dock["tta"].value = True
    assert dock.status.value == ""


def test_an_error_stands_in_one_place(shown, monkeypatch):
    told = []
    monkeypatch.setattr("unet_napari._napari.docks.engine_dock.show_error", told.append)
    shown.fail(ValueError("broken"))
    assert "broken" in shown.status.value
    assert told == []
    shown.native.hide()
    shown.fail(ValueError("broken"))
    assert len(told) == 1


def test_the_description_of_another_image_does_not_stay_with_an_error(dock, viewer):
    dock.image.value = viewer.add_image(np.zeros((20, 30)), name="plane")
    assert "YX, 20 x 30" in dock.found.value
    dock.image.value = viewer.add_image(np.zeros((2, 20, 30)), name="unclear")
    assert "not clear" in dock.status.value
    assert dock.found.value == ""


def test_the_newest_model_that_fits_is_proposed(viewer, job, library, models_folder):
    for age, (name, options) in enumerate(
        {"old": {}, "plane": {}, "colours": {"channels": 3}, "volume": {"ndim": 3}}.items()
    ):
        library(name, **options)
        os.utime(models_folder / f"{name}.unet", (age, age))
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="dock")
    image = viewer.add_image(np.zeros((20, 30)), name="plane")
    assert dock.model.value == "plane"
    viewer.layers.remove(image)
    viewer.add_image(np.zeros((9, 20, 30)), name="stack")  # suggested although one was removed
    assert dock.image.value.name == "stack"
    assert dock.model.value == "volume"
    dock.model.value = "old"
    dock.image.value = viewer.add_image(np.zeros((20, 30)), name="another")
    assert dock.model.value == "old"
