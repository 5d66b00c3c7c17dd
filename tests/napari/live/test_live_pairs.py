"""Pairs that join a running training, and pairs that leave it."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from unet_napari._napari.collection.listed_pairs import pair_title
from unet_napari.engine import PairAdded, PairRemoved
from unet_napari.engine.arrays import open_ref


def test_a_pair_that_is_added_joins_and_so_do_its_strokes(dock, engine, viewer, painted, qtbot):
    image, labels = painted
    second = viewer.add_image(image[::-1], name="second")
    further = viewer.add_labels(labels[::-1].copy(), name="further")
    dock.image.value = second
    dock.labels.value = further
    dock.images.add_button.native.click()
    qtbot.waitUntil(lambda: any(isinstance(c, PairAdded) for c in engine.commands()))
    (added,) = [c for c in engine.commands() if isinstance(c, PairAdded)]
    np.testing.assert_array_equal(open_ref(added.pair.labels), further.data)
    further.paint((10, 100), 9)
    qtbot.waitUntil(lambda: bool(engine.updates()))
    (update,) = engine.updates()
    assert (update.pair, update.number) == (1, 2)
    dock.images.add_button.native.click()  # it is in already
    qtbot.wait(100)
    assert sum(isinstance(c, PairAdded) for c in engine.commands()) == 1


@pytest.fixture
def second(dock, engine, viewer, painted, qtbot):
    """A second image, added to the running training; return its labels."""
    image, labels = painted
    dock.image.value = viewer.add_image(image[::-1], name="second")
    dock.labels.value = further = viewer.add_labels(labels[::-1].copy(), name="further")
    dock.images.add_button.native.click()
    return further


def take_out(dock, *pairs):
    """Untick pairs in the list of images."""
    model = dock.images.table.model()
    titles = [row.name for row in dock.images.table.rows]
    for pair in pairs:
        box = model.index(titles.index(pair_title(pair)), 2)
        model.setData(box, Qt.CheckState.Unchecked.value, Qt.ItemDataRole.CheckStateRole)


def test_a_pair_that_is_taken_out_of_the_list_leaves_the_training(
    dock, engine, viewer, second, qtbot
):
    qtbot.waitUntil(lambda: any(isinstance(c, PairAdded) for c in engine.commands()))
    (pair,) = dock.images.pairs.all()
    take_out(dock, pair)  # it is chosen, and stays
    dock.images.add_button.native.click()
    dock.image.value, dock.labels.value = viewer.layers["nuclei"], viewer.layers["paint"]
    assert not any(isinstance(c, PairRemoved) for c in engine.commands())
    take_out(dock, pair)
    assert engine.commands()[-1] == PairRemoved(1, 2)
    second.paint((10, 100), 9)
    qtbot.wait(700)
    assert engine.updates() == []
    viewer.layers["paint"].paint((80, 100), 9)
    qtbot.waitUntil(lambda: engine.labels()[80, 100] == 9)
    dock.image.value, dock.labels.value = viewer.layers["second"], second
    dock.images.add_button.native.click()  # it comes back, as another one
    second.paint((60, 100), 9)
    qtbot.waitUntil(lambda: engine.updates()[-1].pair == 2)


def test_a_pair_that_is_taken_out_on_its_way_leaves_when_it_has_come(
    dock, engine, viewer, second, qtbot
):
    (pair,) = dock.images.pairs.all()
    dock.image.value, dock.labels.value = viewer.layers["nuclei"], viewer.layers["paint"]
    take_out(dock, pair)
    qtbot.waitUntil(lambda: any(isinstance(c, PairRemoved) for c in engine.commands()))
    told = [c for c in engine.commands() if isinstance(c, PairAdded | PairRemoved)]
    assert [type(one) for one in told] == [PairAdded, PairRemoved]
    assert told[1].pair == 1


def test_a_pair_of_removed_layers_stays(dock, engine, viewer, second, qtbot):
    qtbot.waitUntil(lambda: any(isinstance(c, PairAdded) for c in engine.commands()))
    viewer.layers.remove(second)
    dock.image.value, dock.labels.value = viewer.layers["nuclei"], viewer.layers["paint"]
    dock.images.add_button.native.click()
    take_out(dock)
    assert not any(isinstance(c, PairRemoved) for c in engine.commands())
    assert dock.warning.value.startswith("'further' was removed.")
