"""All images of the list are segmented in one go, and the list shows and sorts what was found."""

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt

from unet_napari._napari.layers.spots import spots_of
from unet_napari.engine import JobCancelled, JobFinished
from unet_napari.folder_run.image_line import ImageLine

COUNTS = {"done": 6, "unchanged": 0, "kept": 0, "failed": 0}
DOUBTS = (0.1, 0.5, 0.2, 0.9, None, 0.3)
SHAPES = ((96, 128), (64, 64), (96, 128), (80, 120), (96, 128), (50, 70))


@pytest.fixture
def dock(segment_dock, folder):
    segment_dock.images.browser.open_folder(folder)
    return segment_dock


@pytest.fixture
def results(folder):
    """Folder of the results, as the engine would fill it."""
    where = folder / "nuclei results"
    where.mkdir()
    for number, name in enumerate("abcdef"):
        labels = np.zeros(SHAPES[number], np.uint16)
        labels[5:15, 5:15], labels[20:30, 30:44] = 1, 2
        tifffile.imwrite(where / f"{name}.tif", labels)
    return where


def line(number, state="done", **facts):
    known = {"objects": 2 + number, "doubt": DOUBTS[number], "worst_at": (25, 36)}
    return ImageLine(number, "abcdef"[number], state, **({**known, **facts}))


@pytest.fixture
def begun(dock, client, qtbot):
    dock.run_all.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    return client.jobs[0]


def test_the_engine_is_asked_for_all_images_with_tables(dock, begun, folder):
    assert [item.image for item in begun.images] == [str(folder / f"{n}.tif") for n in "abcdef"]
    assert begun.images[1].output == str(folder / "nuclei results" / "b.tif")
    assert begun.table == str(folder / "nuclei results" / "objects.csv")
    assert begun.listing == str(folder / "nuclei results" / "images.csv")
    assert begun.model == "nuclei"
    assert dock.run.text == "Stop"


def test_the_list_shows_what_was_found_and_sorts_by_it(dock, begun, client, qtbot):
    client.say(line(3, thumbnail=np.full((20, 30, 3), 200, np.uint8)))
    client.say(line(1))
    client.say(line(0))
    client.say(JobFinished({**COUNTS, "done": 3, "not_tried": 3, "reason": "", "stopped": True}))
    qtbot.waitUntil(lambda: not dock.busy)
    assert dock.status.value.startswith("Stopped after 3 of 6 images, 10 objects")
    assert "go on" in dock.status.value
    table = dock.images.table
    table.sortByColumn(4, Qt.SortOrder.DescendingOrder)
    assert [row.name for row in table.rows[:3]] == ["d.tif", "b.tif", "a.tif"]
    assert (table.rows[0].objects, table.rows[0].doubt) == (5, 0.9)
    picture = table.model().index(0, 0).data(Qt.ItemDataRole.DecorationRole)
    assert not picture.isNull()
    table.sortByColumn(3, Qt.SortOrder.AscendingOrder)
    assert [row.objects for row in table.rows][-3:] == [2, 3, 5]


def test_a_click_opens_an_image_at_its_most_doubtful_object(
    dock, begun, client, viewer, results, qtbot
):
    for number in range(6):
        client.say(line(number))
    client.say(JobFinished({**COUNTS, "not_tried": 0, "reason": "", "stopped": False}))
    qtbot.waitUntil(lambda: not dock.busy)
    table = dock.images.table
    table.sortByColumn(4, Qt.SortOrder.DescendingOrder)
    table.clicked.emit(table.model().index(0, 0))
    qtbot.waitUntil(lambda: dock.images.browser.name == "d.tif")
    assert [layer.name for layer in viewer.layers] == ["d", "d · nuclei", "d labels"]
    found = viewer.layers["d · nuclei"]
    np.testing.assert_array_equal(found.data, tifffile.imread(results / "d.tif"))
    assert [(spot.point, spot.doubt) for spot in spots_of(found)] == [((25, 36), 0.9)]
    assert viewer.scene.camera.center[1:] == (25, 36)
    assert dock.image.value is viewer.layers["d"]
    table.clicked.emit(table.model().index(1, 0))
    qtbot.waitUntil(lambda: dock.images.browser.name == "b.tif")
    assert "d · nuclei" not in viewer.layers


def test_what_was_found_in_the_open_image_is_shown_at_the_end(dock, client, viewer, results, qtbot):
    browser = dock.images.browser
    browser.open("b.tif")
    qtbot.waitUntil(lambda: browser.name == "b.tif")
    dock.run_all.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    client.say(line(1))
    assert [layer.name for layer in viewer.layers] == ["b", "b labels"]
    client.say(JobFinished({**COUNTS, "done": 1, "not_tried": 5, "reason": "", "stopped": True}))
    qtbot.waitUntil(lambda: "b · nuclei" in viewer.layers)
    np.testing.assert_array_equal(
        viewer.layers["b · nuclei"].data, tifffile.imread(results / "b.tif")
    )
    assert [layer.name for layer in viewer.layers] == ["b", "b · nuclei", "b labels"]


def test_a_prediction_that_was_edited_stays_open(dock, begun, client, viewer, results, qtbot):
    client.say(line(0))
    client.say(JobFinished({**COUNTS, "done": 1, "not_tried": 5, "reason": "", "stopped": True}))
    qtbot.waitUntil(lambda: not dock.busy)
    browser = dock.images.browser
    browser.open("a.tif")
    qtbot.waitUntil(lambda: browser.name == "a.tif")
    viewer.layers["a · nuclei"].paint((50, 50), 9)
    browser.step(1)
    qtbot.waitUntil(lambda: browser.name == "b.tif")
    assert "a · nuclei" in viewer.layers


def test_what_was_found_is_known_after_reopening(dock, begun, client, folder, qtbot):
    client.say(line(3))
    client.say(JobCancelled())
    qtbot.waitUntil(lambda: not dock.busy)
    dock.images.browser.open_folder(folder)
    (row,) = [row for row in dock.images.table.rows if row.objects is not None]
    assert (row.name, row.objects, row.doubt) == ("d.tif", 5, 0.9)


def test_failed_images_are_told_and_the_others_are_there(dock, begun, client, qtbot):
    client.say(line(0, "failed", objects=None, doubt=None, message="it is damaged"))
    client.say(line(1))
    counts = {**COUNTS, "done": 1, "failed": 1, "not_tried": 0, "reason": "", "stopped": False}
    client.say(JobFinished(counts))
    qtbot.waitUntil(lambda: not dock.busy)
    assert "1 failed, the first: 'a.tif': it is damaged" in dock.status.value
    assert [row.objects for row in dock.images.table.rows][:2] == [None, 3]


def test_without_a_list_there_is_no_such_button(segment_dock):
    assert not segment_dock.run_all.native.isVisibleTo(segment_dock.native)
