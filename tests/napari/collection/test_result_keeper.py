"""What is segmented in an image of the list is saved when the list goes on."""

import numpy as np
import pytest
import tifffile

from segment_runs import decoded, run, start
from unet_napari._napari.layers.ownership import origin_noted
from unet_napari.engine import ArraysReady, JobFinished
from unet_napari.images.result_record import ImageMark, ModelMark, ResultRecord, read_record

SHAPE = (96, 128)


def record(**changes):
    image = ImageMark("a", "", "ab", "YX", SHAPE, "uint16")
    about = {"made": "2026-12-01", "model": ModelMark("nuclei", "cd"), "image": image}
    rest = {"settings": {}, "thresholds": {}, "computed": {}, "versions": {}}
    return ResultRecord(**{**about, **rest, "found": {"objects": 2, "doubted": False}, **changes})


def labels(*corners):
    array = np.zeros(SHAPE, np.uint32)
    for number, (y, x) in enumerate(corners, start=1):
        array[y : y + 10, x : x + 10] = number
    return array


@pytest.fixture
def dock(segment_dock, folder, qtbot):
    """A Segment dock with the first image of the list open."""
    browser = segment_dock.images.browser
    browser.open_folder(folder)
    browser.step(1)
    qtbot.waitUntil(lambda: browser.name == "a.tif")
    return segment_dock


@pytest.fixture
def go(dock, qtbot):
    """Open another image of the list, and wait until all is saved."""
    browser = dock.images.browser
    saved = []

    def go(by):
        before = browser.name
        browser.step(by)
        qtbot.waitUntil(lambda: browser.name != before)
        saved.clear()
        browser.paint.files.run(lambda: True, saved.append, saved.append)
        qtbot.waitUntil(lambda: saved == [True])

    return go


def segment(dock, client, qtbot, found, **facts):
    """Press Segment and deliver labels with the record that was asked for."""
    job = start(dock, client, qtbot)
    client.say(ArraysReady(found))
    told = {"objects": int(found.max()), "record": record().to_dict(), **facts}
    client.say(JobFinished(told))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    return job


def test_a_result_is_saved_shown_again_and_kept_when_it_is_edited(
    dock, client, viewer, folder, go, qtbot
):
    file, first = folder / "nuclei results" / "a.tif", labels((5, 5), (40, 60))
    job = segment(dock, client, qtbot, first)
    assert job.result_file == str(file)
    go(1)
    np.testing.assert_array_equal(tifffile.imread(file), first)
    found = read_record(file).found
    assert (found["objects"], found["doubted"], len(found["labels"])) == (2, False, 64)
    qtbot.waitUntil(lambda: dock.images.table.rows[0].objects == 2)
    stamp = file.stat().st_mtime_ns

    go(-1)
    layer = viewer.layers["a · nuclei"]
    np.testing.assert_array_equal(layer.data, first)
    go(1)
    assert file.stat().st_mtime_ns == stamp  # nothing is new

    go(-1)
    layer = viewer.layers["a · nuclei"]
    layer.data_setitem((np.array([80]), np.array([90])), 7)
    go(1)
    qtbot.waitUntil(lambda: "a · nuclei" not in viewer.layers)
    saved = tifffile.imread(file)
    assert saved[80, 90] == 7
    assert (saved != first).sum() == 1
    assert read_record(file).image.path == "../a.tif"
    assert read_record(file).found["labels"] == found["labels"]  # so that it is known as edited
    qtbot.waitUntil(lambda: dock.images.table.rows[0].objects == 3)

    go(-1)
    viewer.layers.remove("a · nuclei")
    segment(dock, client, qtbot, labels((30, 30)))
    go(1)
    qtbot.waitUntil(lambda: "is saved as 'a_2.tif'" in dock.images.told.value)
    assert tifffile.imread(file)[80, 90] == 7
    np.testing.assert_array_equal(tifffile.imread(file.with_name("a_2.tif")), labels((30, 30)))


def test_other_thresholds_are_saved_with_the_labels_that_they_gave(
    dock, client, viewer, folder, go, qtbot, monkeypatch
):
    segment(dock, client, qtbot, labels((5, 5), (40, 60)), kept=1)
    live = dock.thresholds._live
    monkeypatch.setattr(live, "_values", lambda: {"min_size": 44})
    live.change()
    qtbot.waitUntil(lambda: len(client.jobs) == 2)
    decoded(client, labels((5, 5)))
    layer = viewer.layers["a · nuclei"]
    qtbot.waitUntil(lambda: origin_noted(layer).record["thresholds"] == {"min_size": 44})
    go(1)
    assert dock.images.told.value == ""
    file = folder / "nuclei results" / "a.tif"
    np.testing.assert_array_equal(tifffile.imread(file), labels((5, 5)))
    segment(dock, client, qtbot, labels((9, 9))[:64, :64])
    dock.images.browser.rest()  # as when the dock is closed
    qtbot.waitUntil(file.with_name("b.tif").exists)
    assert "b · nuclei" in viewer.layers
    assert read_record(file).thresholds == {"min_size": 44}
    assert read_record(file).found["objects"] == 1


def test_of_a_part_it_is_said_that_nothing_is_saved(dock, client, viewer, folder, go, qtbot):
    dock.scope.value = "view"
    viewer.scene.camera.zoom, viewer.scene.camera.center = 20, (0, 48, 64)
    qtbot.wait(50)
    job = start(dock, client, qtbot)
    assert job.result_file is None
    part = np.ones([stop - begin for begin, stop in job.inner], np.uint32)
    client.say(ArraysReady(np.pad(part, [(a, 0) for a, _ in job.inner])))
    client.say(JobFinished({"objects": 1}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    go(1)
    assert "'a · nuclei' was not saved: only what was found in the whole" in dock.images.told.value
    assert not (folder / "nuclei results").exists()


def test_other_layers_are_saved_by_nobody(dock, client, viewer, folder, go, qtbot):
    dock.image.value = viewer.add_image(np.zeros((20, 30)), name="mine")
    run(dock, client, qtbot, np.ones((20, 30), np.uint32), objects=1)
    assert client.jobs[0].result_file is None
    go(1)
    assert "mine · nuclei" in viewer.layers
    assert not (folder / "nuclei results").exists()
