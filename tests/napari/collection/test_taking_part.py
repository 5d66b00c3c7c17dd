"""All images of the list that have paint and are ticked take part in a training."""

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt

from train_events import STARTED
from unet_napari.engine import PairAdded, PairRemoved
from unet_napari.engine.arrays import open_ref


def paint(layer):
    """Paint three cells."""
    layer.brush_size = 10
    for number, place in enumerate([(12, 12), (12, 40), (35, 20)], start=1):
        layer.paint(place, number)


@pytest.fixture
def two_painted(browser, step, train_dock):
    """Paint on the first two images; the second one is open."""
    train_dock.effort.value = "quick"
    paint(browser.current.layer)
    paint(step())
    return browser


def names_of(job):
    return [pair.image.name for pair in job.pairs]


def test_those_with_paint_take_part_with_their_own_labels(
    two_painted, step, train_dock, folder, client, qtbot
):
    step()
    paint(two_painted.current.layer)
    qtbot.waitUntil(lambda: train_dock.run.enabled)
    train_dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    job = client.jobs[0]
    assert names_of(job) == ["c", "a", "b"]
    for pair in job.pairs:
        expected = tifffile.imread(folder / f"{pair.image.name}.tif")
        image, labels = (
            open_ref(reference, folders=client.folder.folders)
            for reference in (pair.image.data, pair.labels)
        )
        np.testing.assert_array_equal(image[...], expected)
        assert set(np.unique(np.asarray(labels[...]))) == {0, 1, 2, 3}
        assert labels.shape == expected.shape


def test_what_is_not_ticked_is_left_out(two_painted, train_dock, client, qtbot):
    two_painted.keep({"a.tif": {"train": False}})
    qtbot.waitUntil(lambda: train_dock.run.enabled)
    train_dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert names_of(client.jobs[0]) == ["b"]


def test_a_file_that_is_damaged_by_now_is_left_out_with_one_line(
    two_painted, train_dock, folder, client, qtbot
):
    qtbot.waitUntil(lambda: not two_painted.paint.waits)
    (folder / "a.tif").write_bytes(b"no image")
    qtbot.waitUntil(lambda: train_dock.run.enabled)
    train_dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert names_of(client.jobs[0]) == ["b"]
    qtbot.waitUntil(lambda: "'a.tif' is left out" in train_dock.warning.value)


def test_after_reopening_the_folder_the_paint_is_known(
    two_painted, train_dock, folder, client, qtbot
):
    qtbot.waitUntil(lambda: not two_painted.paint.waits and two_painted.current.is_settled)
    two_painted.open_folder(folder)
    two_painted.paint._painted.clear()  # as if napari were opened anew
    two_painted.open_folder(folder)
    painted = lambda: [row.name for row in train_dock.images.table.rows if row.painted]  # noqa: E731
    qtbot.waitUntil(lambda: painted() == ["a.tif", "b.tif"])


def test_a_tick_in_the_table_counts(two_painted, train_dock, folder, qtbot):
    model = train_dock.images.table.model()
    model.setData(model.index(1, 2), Qt.CheckState.Unchecked.value, Qt.ItemDataRole.CheckStateRole)
    assert [row.train for row in train_dock.images.table.rows][:3] == [True, False, True]
    assert two_painted.list["b.tif"].facts.train is False


def test_a_click_opens_an_image_and_the_table_sorts(two_painted, train_dock, qtbot):
    table = train_dock.images.table
    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert table.rows[0].name == "f.tif"
    table.clicked.emit(table.model().index(0, 0))
    qtbot.waitUntil(lambda: two_painted.name == "f.tif")
    assert [row.name for row in table.rows if row.is_open] == ["f.tif"]
    table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert {row.name for row in table.rows[:2]} == {"a.tif", "b.tif"}


def test_an_open_image_without_paint_does_not_stop_the_others(
    two_painted, step, train_dock, client, qtbot
):
    step()
    qtbot.waitUntil(lambda: train_dock.run.enabled)
    train_dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert names_of(client.jobs[0]) == ["a", "b"]


def test_what_is_painted_on_the_next_images_joins_a_running_training(
    two_painted, step, train_dock, client, qtbot
):
    """A new image joins; one that was trained on as a file takes the place of its file."""
    train_dock.effort.value = "live"
    qtbot.waitUntil(lambda: train_dock.run.enabled)
    train_dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert names_of(client.jobs[0]) == ["b", "a"]
    client.say(STARTED)
    told = lambda kind: [one for one in client.commands if isinstance(one, kind)]  # noqa: E731
    paint(step())
    qtbot.waitUntil(lambda: len(told(PairAdded)) == 1)
    assert told(PairAdded)[0].pair.image.name == "c"
    assert told(PairRemoved) == []
    step(-1)
    step(-1).paint((60, 60), 9)
    qtbot.waitUntil(lambda: len(told(PairAdded)) == 2)
    assert told(PairAdded)[1].pair.image.name == "a"
    assert [one.pair for one in told(PairRemoved)] == [1]
    assert "You paint in" not in train_dock.warning.value
