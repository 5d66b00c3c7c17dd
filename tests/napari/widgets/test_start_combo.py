"""The choice of what a training starts from."""

import pytest

from unet_napari._napari.widgets.start_combo import StartCombo


@pytest.fixture
def combo(library, qtbot):
    library("mine")
    library("yours")
    combo = StartCombo()
    qtbot.addWidget(combo.native)
    combo.reset_choices()
    return combo


def test_it_is_automatic_until_someone_chooses(combo):
    assert combo.start == "auto"
    shown = [combo.native.itemText(number) for number in range(combo.native.count())]
    assert shown == ["automatic", "nothing", "mine", "yours"]
    assert "explains best what is painted" in combo.native.toolTip()


@pytest.mark.parametrize("choice", ["nothing", "mine"])
def test_a_choice_is_what_a_training_takes(combo, choice):
    combo.value = choice
    assert combo.start == choice
    combo.value = None
    assert combo.start == "auto"


def test_nothing_is_no_model_to_complain_of(combo):
    combo.value = "nothing"
    assert "There is no model" not in combo.native.toolTip()
    assert "Nothing: random weights" in combo.native.toolTip()
