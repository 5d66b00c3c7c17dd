"""The choice of a layer follows the layer, whatever happens to the others."""

import numpy as np
import pytest

from napari.layers import Image
from unet_napari._napari.widgets.form import Form
from unet_napari._napari.widgets.layer_combo import layer_choice


@pytest.fixture
def combo(viewer):
    form = Form()
    rows = form.add_rows()
    rows.add(layer_choice("image", Image, "choose an image", "An image."))
    form.finish()
    viewer.window.add_dock_widget(form, name="form")
    return form.image


@pytest.fixture
def two(viewer):
    return [viewer.add_image(np.zeros((4, 4)), name=name) for name in ("a", "b")]


def test_it_lists_the_layers_of_its_type(combo, viewer, two):
    viewer.add_labels(np.zeros((4, 4), int))
    assert combo.choices == (None, *two)
    assert combo.value is None


@pytest.mark.parametrize("chosen", [0, 1])
def test_a_rename_is_followed(combo, two, chosen):
    combo.value = two[chosen]
    heard = []
    combo.changed.connect(heard.append)
    two[chosen].name = "something else"
    assert combo.value is two[chosen]
    assert combo.current_choice == "something else"
    assert heard == []


def test_reordering_is_followed(combo, viewer, two):
    combo.value = two[0]
    viewer.layers.move(0, 2)
    assert combo.value is two[0]


def test_a_removed_choice_leaves_it_empty_and_says_so_once(combo, viewer, two):
    combo.value = two[0]
    heard = []
    combo.changed.connect(heard.append)
    viewer.layers.remove(two[0])
    assert combo.value is None
    assert combo.current_choice == "choose an image"
    assert heard == [None]
    viewer.add_image(np.zeros((4, 4)), name="a")
    assert combo.value is None


def test_the_removal_of_another_layer_changes_nothing(combo, viewer, two):
    combo.value = two[1]
    viewer.layers.remove(two[0])
    assert combo.value is two[1]


def test_layers_of_one_name_are_told_apart(combo, viewer, two):
    twin = viewer.add_image(np.ones((4, 4)), name="a")
    combo.value = twin
    assert combo.value is twin
    combo.value = two[0]
    assert combo.value is two[0]


def test_a_name_that_moves_to_another_layer_is_not_followed(combo, two):
    combo.value = two[0]
    two[0].name, two[1].name = "c", "a"
    assert combo.value is two[0]


def test_a_suggestion_counts_until_somebody_has_chosen(combo, viewer, two):
    combo.suggest(two[0])
    assert combo.value is two[0]
    combo.suggest(two[1])
    assert combo.value is two[0]
    viewer.layers.remove(two[0])
    combo.suggest(two[1])
    assert combo.value is None
