"""The window of the models: what is listed, and what each button does."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from qtpy.QtCore import Qt

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.models import models_window
from unet_napari.errors import ModelFileError
from unet_napari.model.schema import ModelInfo


def read_info(path):
    """Read what a model file of these tests says: real ones are written by torch alone."""
    try:
        said = json.loads(Path(path).read_text())
    except ValueError:
        raise ModelFileError(f"{Path(path).name} is damaged.") from None
    facts = {"network": {"name": "unet", "options": {}}, "normalisation": {}, "parameters": 1}
    about = {"channels": 1, "ndim": 2, "pixel_size": {}, "halo": None, "diameter": None}
    task, provenance = {"name": said["task"]}, said.get("provenance", {})
    return ModelInfo(name="", task=task, provenance=provenance, **facts, **about)


@pytest.fixture
def saved(models_folder, monkeypatch):
    """Two models of the user's, one bundled, and a damaged file."""
    monkeypatch.setattr("unet_napari.model.info.read_info", read_info)
    monkeypatch.setattr("unet_napari._napari.widgets.model_combo.read_info", read_info)
    monkeypatch.setattr("unet_napari._napari.models.model_table.read_thumbnail", lambda _: None)
    bundled = models_folder.parent / "bundled"
    models_folder.mkdir()
    bundled.mkdir()
    judged = {"score": 0.81, "score_name": "AP50", "for": "round cells"}
    cells = json.dumps({"task": "cells", "provenance": judged})
    (models_folder / "cells.unet").write_text(cells)
    (models_folder / "tissue.unet").write_text(json.dumps({"task": "semantic"}))
    (bundled / "nuclei.unet").write_text(json.dumps({"task": "cells"}))
    (models_folder / "broken.unet").write_text("no model")
    return models_folder


@pytest.fixture
def dock(viewer, job, saved):
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="dock")
    return dock


@pytest.fixture
def window(dock, qtbot):
    dock["models"].native.click()
    (window,) = dock.native.window().findChildren(models_window.ModelsWindow)
    yield window
    with suppress(RuntimeError):  # the test has closed it
        window.close()
    qtbot.wait(1)


def texts(window):
    table = window.table
    return [
        [table.item(row, column).text() for column in range(4)] for row in range(table.rowCount())
    ]


def press(window, text):
    window.buttons[text].click()


def test_every_model_has_a_row_with_what_it_is(window, dock):
    assert texts(window) == [
        ["broken", "damaged", "", ""],
        ["cells", "cells", "2D", "AP50 0.81"],
        ["nuclei", "cells", "2D", "not judged"],
        ["tissue", "classes of pixels", "2D", "not judged"],
    ]
    window.table.choose("cells")
    assert window.about.text() == "For round cells."
    window.table.choose("broken")
    assert "broken.unet" in window.about.text()
    assert not window.buttons["Use"].isEnabled()
    window.table.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert texts(window)[0][0] == "cells"


def test_the_same_window_is_shown_again(window, dock):
    dock["models"].native.click()
    assert dock.native.window().findChildren(models_window.ModelsWindow) == [window]


def test_a_model_is_chosen_in_the_dock(window, dock):
    window.table.choose("tissue")
    press(window, "Use")
    assert dock.model.value == "tissue"
    assert not window.isVisible()


def test_a_name_that_is_typed_renames_the_model_that_is_chosen(window, dock, saved):
    dock.model.value = "cells"
    window.table.choose("cells")
    window.table.selectedItems()[0].setText("round ones")
    assert window.line.value == "'cells' is called 'round ones' now."
    assert dock.model.value == "round ones"
    assert (saved / "round ones.unet").exists()
    assert window.table.chosen().name == "round ones"
    window.table.selectedItems()[0].setText("tissue")
    assert "There is a model 'tissue' already" in window.line.value
    assert window.line.is_error
    assert [row[0] for row in texts(window)] == ["broken", "nuclei", "round ones", "tissue"]


def test_a_copy_of_a_bundled_model_is_the_users_own(window, saved):
    window.table.choose("nuclei")
    assert not window.buttons["Rename"].isEnabled()
    assert not window.buttons["Delete"].isEnabled()
    press(window, "Duplicate")
    assert (saved / "nuclei 2.unet").exists()
    assert window.table.chosen().name == "nuclei 2"
    assert window.buttons["Delete"].isEnabled()


def test_a_deleted_model_is_in_the_trash(window, dock, saved, monkeypatch):
    trash = []

    def move(path):
        trash.append(path.name)
        path.unlink()
        return True

    monkeypatch.setattr(models_window, "_to_trash", move)
    dock.model.value = "cells"
    window.table.choose("cells")
    press(window, "Delete")
    assert trash == ["cells.unet"]
    assert window.line.value == "'cells' is in the trash."
    assert [row[0] for row in texts(window)] == ["broken", "nuclei", "tissue"]
    assert dock.model.value != "cells"


def test_the_trash_of_the_desktop_takes_it(window, saved, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    window.table.choose("tissue")
    press(window, "Delete")
    assert not (saved / "tissue.unet").exists()
    # Where the desktop has none for this disk, the file would have stayed, with a message.
    assert window.line.value == "'tissue' is in the trash."


def test_the_folder_of_a_model_is_opened(window, saved, monkeypatch):
    opened = []
    monkeypatch.setattr(
        models_window.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile())
    )
    window.table.choose("cells")
    press(window, "Show in folder")
    assert [Path(path) for path in opened] == [saved]
