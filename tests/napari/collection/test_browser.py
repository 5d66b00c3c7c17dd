"""Image after image: each with its own labels, which are saved without being asked."""

import numpy as np
import pytest
import tifffile

from unet_napari._napari.collection import paint_saver
from unet_napari._napari.collection.browsers import browsers
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.live import paint_watch
from unet_napari._napari.widgets.fold import Fold

PATIENCE = 60_000  # milliseconds; a busy machine is no failure


def settled(browser):
    return not browser.paint.waits and (browser.current is None or browser.current.is_settled)


def stored(folder, name):
    return tifffile.imread(folder / f"{name}_labels.tif")


def test_the_first_image_is_open_with_empty_labels(browser, train_dock, viewer):
    assert [layer.name for layer in viewer.layers] == ["a", "a labels"]
    assert train_dock.image.value is viewer.layers["a"]
    assert train_dock.labels.value is viewer.layers["a labels"]
    assert viewer.layers["a labels"].data.dtype == np.uint16
    assert not viewer.layers["a labels"].data.any()


def test_each_image_keeps_its_labels(browser, step, folder, viewer, qtbot):
    first = browser.current.layer
    first.paint((10, 20), 3)
    expected = first.data.copy()
    second = step()
    assert second.data.shape == (64, 64)
    assert not second.data.any()
    second.paint((30, 30), 7)
    again = step(-1)
    np.testing.assert_array_equal(again.data, expected)
    assert [layer.name for layer in viewer.layers] == ["a", "a labels"]
    np.testing.assert_array_equal(viewer.layers["a"].data, tifffile.imread(folder / "a.tif"))
    qtbot.waitUntil(lambda: settled(browser))
    np.testing.assert_array_equal(stored(folder, "a"), expected)
    assert set(np.unique(stored(folder, "b"))) == {0, 7}
    assert not (folder / "c_labels.tif").exists()


def test_paint_is_on_the_disk_within_five_seconds(browser, folder, qtbot):
    pauses = (1 + paint_watch._PATIENCE) * paint_watch._PACE + paint_saver._PAUSE
    assert pauses < 4500  # milliseconds; the rest is for writing the file
    browser.current.layer.paint((10, 20), 3)
    qtbot.waitUntil((folder / "a_labels.tif").exists, timeout=PATIENCE)
    np.testing.assert_array_equal(stored(folder, "a"), browser.current.layer.data)
    browser.current.layer.paint((60, 70), 4)
    qtbot.waitUntil(lambda: stored(folder, "a")[60, 70] == 4, timeout=PATIENCE)
    browser.current.layer.undo()
    qtbot.waitUntil(lambda: stored(folder, "a")[60, 70] == 0, timeout=PATIENCE)


def test_looking_at_an_image_writes_nothing(browser, step, folder, qtbot):
    before = sorted(folder.iterdir())
    step()
    step()
    qtbot.waitUntil(lambda: settled(browser))
    assert sorted(folder.iterdir()) == before


def test_a_file_that_is_gone_or_damaged_is_passed_over_with_one_line(
    browser, step, folder, train_dock, qtbot
):
    (folder / "b.tif").unlink()
    (folder / "c.tif").write_bytes(b"no image")
    browser.step(1)
    qtbot.waitUntil(lambda: browser.name == "d.tif")
    rows = {row.name: row.problem for row in train_dock.images.table.rows}
    assert rows["b.tif"] == "'b.tif' is not in the folder any more."
    assert "c.tif" in rows["c.tif"]
    assert "is not a TIFF file" in rows["c.tif"]
    assert rows["d.tif"] == ""


def test_labels_of_another_program_stay_as_they_are(browser, step, folder, qtbot):
    theirs = np.zeros((64, 64), np.uint8)
    theirs[5:20, 5:20] = 9
    tifffile.imwrite(folder / "b_cp_masks.tif", theirs)
    layer = step()
    np.testing.assert_array_equal(layer.data, theirs)
    layer.paint((40, 40), 10)
    step()
    qtbot.waitUntil(lambda: settled(browser))
    np.testing.assert_array_equal(tifffile.imread(folder / "b_cp_masks.tif"), theirs)
    assert set(np.unique(stored(folder, "b"))) == {0, 9, 10}


def test_newer_paint_of_another_program_is_never_written_over(
    browser, step, folder, train_dock, qtbot
):
    layer = browser.current.layer
    layer.paint((10, 20), 3)
    qtbot.waitUntil((folder / "a_labels.tif").exists, timeout=PATIENCE)
    qtbot.waitUntil(lambda: settled(browser))
    theirs = np.full((96, 128), 5, np.uint16)
    tifffile.imwrite(folder / "a_labels.tif", theirs)
    layer.paint((60, 70), 4)
    qtbot.waitUntil((folder / "a_labels_2.tif").exists, timeout=PATIENCE)
    qtbot.waitUntil(lambda: "changed by another program" in train_dock.images.told.value)
    np.testing.assert_array_equal(stored(folder, "a"), theirs)
    np.testing.assert_array_equal(tifffile.imread(folder / "a_labels_2.tif"), layer.data)
    step()
    again = step(-1)
    assert again.data[60, 70] == 4


def test_labels_of_another_shape_are_left_alone(browser, step, folder, train_dock, qtbot):
    tifffile.imwrite(folder / "b_labels.tif", np.ones((5, 6), np.uint16))
    layer = step()
    assert layer.data.shape == (64, 64)
    assert "5 x 6" in train_dock.images.told.value
    layer.paint((40, 40), 10)
    step()
    qtbot.waitUntil(lambda: settled(browser))
    assert stored(folder, "b").shape == (5, 6)
    assert (tifffile.imread(folder / "b_labels_2.tif") == layer.data).all()
    assert (step(-1).data == layer.data).all()


def test_what_cannot_be_saved_stays_and_goes_where_the_user_says(
    browser, step, folder, tmp_path, train_dock, qtbot, monkeypatch
):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("unet_napari.images.write.tempfile.TemporaryFile", refuse)
        first = browser.current.layer
        first.paint((10, 20), 3)
        qtbot.waitUntil(lambda: "is not saved" in train_dock.images.told.value, timeout=PATIENCE)
        second = step()
        second.paint((30, 30), 7)
        assert (step(-1).data == first.data).all()
    assert not (folder / "a_labels.tif").exists()
    elsewhere = tmp_path / "labels"
    elsewhere.mkdir()
    browser.save_labels_to(elsewhere)
    qtbot.waitUntil(lambda: settled(browser), timeout=PATIENCE)
    np.testing.assert_array_equal(stored(elsewhere, "a"), first.data)
    np.testing.assert_array_equal(stored(elsewhere, "b"), second.data)
    assert not (folder / "a_labels.tif").exists()


def test_background_is_background_after_reopening(browser, step, train_dock, qtbot):
    train_dock.paint_background.native.click()
    browser.current.layer.paint((10, 20), 65535)
    step()
    again = step(-1)
    assert again.metadata["unet-napari background"] == 65535
    browser.open_folder(browser.list.folder)
    qtbot.waitUntil(lambda: settled(browser))
    browser.step(1)
    qtbot.waitUntil(lambda: browser.name == "a.tif")
    assert browser.current.layer.metadata["unet-napari background"] == 65535


def test_a_layer_that_the_user_removes_is_saved_first(browser, viewer, folder, qtbot):
    layer = browser.current.layer
    layer.paint((10, 20), 3)
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: settled(browser), timeout=PATIENCE)
    np.testing.assert_array_equal(stored(folder, "a"), layer.data)
    assert browser.name is None


def test_the_keys_go_to_the_next_image_and_back(browser, viewer, qtbot):
    keys = {str(key): call for key, call in viewer.keymap.items()}
    keys["Ctrl+Right"](viewer)
    qtbot.waitUntil(lambda: browser.name == "b.tif")
    keys["Ctrl+Left"](viewer)
    qtbot.waitUntil(lambda: browser.name == "a.tif")


@pytest.mark.parametrize("by", [1, -1])
def test_there_is_an_end_on_each_side(browser, train_dock, by, qtbot):
    browser.open("f.tif" if by > 0 else "a.tif")
    qtbot.waitUntil(lambda: browser.name == ("f.tif" if by > 0 else "a.tif"))
    browser.step(by)
    assert train_dock.images.told.value == f"This is the {'last' if by > 0 else 'first'} image."


def test_the_list_that_was_open_when_napari_was_killed_is_offered(
    browser, step, viewer, job, folder, qtbot
):
    step().paint((30, 30), 7)
    qtbot.waitUntil((folder / "b_labels.tif").exists, timeout=PATIENCE)
    kept = browser.current.layer.data.copy()
    browsers.clear()  # as in a napari that is started again
    viewer.layers.clear()
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="again")
    assert dock.images.told.value.startswith("'six images' was open last.")
    assert dock.images.reopen.native.isVisibleTo(dock.native)
    dock.images.reopen.native.click()
    qtbot.waitUntil(lambda: dock.images.browser.name == "b.tif")
    np.testing.assert_array_equal(dock.labels.value.data, kept)
    assert not dock.images.reopen.native.isVisibleTo(dock.native)


def test_a_list_that_was_closed_is_offered_out_of_sight(browser, viewer, train_dock, job, qtbot):
    viewer.window.remove_dock_widget(train_dock.native)
    browsers.clear()
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="again")
    assert dock.images.told.value == ""
    assert not dock.images.reopen.native.isVisibleTo(dock.native)
    fold = next(f for f in dock.native.findChildren(Fold) if "Images" in f.headline.text())
    fold.headline.setChecked(True)
    assert dock.images.reopen.native.isVisibleTo(dock.native)


def test_the_folder_of_the_labels_is_known_the_next_time(browser, folder, tmp_path, qtbot):
    elsewhere = tmp_path / "labels"
    elsewhere.mkdir()
    browser.save_labels_to(elsewhere)
    browser.open_folder(folder)
    assert browser.list.labels_folder == elsewhere
