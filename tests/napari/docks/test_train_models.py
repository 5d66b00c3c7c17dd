"""Names of models, and what is asked before a training ends."""

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QAbstractButton, QApplication, QMessageBox

from unet_napari._napari.docks import close_guard
from unet_napari.engine import JobFinished, Preview
from unet_napari.engine.arrays import open_ref
from unet_napari.model.names import Claim


@pytest.fixture
def dock(train_dock):
    return train_dock


def test_two_trainings_never_share_a_file(models_folder):
    models_folder.mkdir()
    first, second = Claim("mine"), Claim("mine")
    assert (first.path.name, second.path.name) == ("mine.unet", "mine 2.unet")
    first.release()
    assert Claim("mine").path.name == "mine.unet"
    (models_folder / "Mine 3.unet").write_bytes(b"")
    assert Claim("mine").path.name == "mine 4.unet"


def test_a_name_that_a_killed_program_held_is_free_again(models_folder, monkeypatch):
    models_folder.mkdir()
    Claim("mine")
    monkeypatch.setattr("unet_napari.model.names.psutil.pid_exists", lambda _: False)
    assert Claim("mine").path.name == "mine.unet"


def test_long_names_get_a_number_too(models_folder):
    models_folder.mkdir()
    first, second = Claim("x" * 200), Claim("x" * 200)
    assert first.path != second.path


def test_a_model_of_the_same_name_is_not_replaced_and_that_is_told(
    ready, client, qtbot, models_folder, train
):
    models_folder.mkdir()
    (models_folder / "mine.unet").write_bytes(b"the first")
    ready.model_name.value = "mine"
    job = train()
    assert job.output == str(models_folder / "mine 2.unet")
    result = {"model": job.output, "score": 0.74, "score_name": "AP50", "reason": "Stopped."}
    client.say(JobFinished({**result, "verdict": "most cells are right", "step": 8, "steps": 10}))
    qtbot.waitUntil(lambda: not ready.busy)
    said = ready.status.value
    assert said.startswith("Model 'mine 2' saved, AP50 0.74 on labels that were held out")
    assert "most cells are right" in said
    assert "there is a 'mine' already" in said
    assert "Of 10 steps, the state after step 8 is the best." in said
    assert not list(models_folder.glob(".*"))


@pytest.fixture
def asked(monkeypatch):
    """The questions that were asked, all of them answered with no."""
    questions = []

    def question(_, __, text, *___):
        questions.append(text)
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(close_guard.QMessageBox, "question", question)
    monkeypatch.setattr(close_guard, "_WORTH_A_QUESTION", 0.0)
    return questions


def test_a_person_is_asked_before_a_training_is_closed(ready, viewer, client, qtbot, train, asked):
    train()
    qtbot.waitUntil(lambda: ready.training._guard._since is not None)
    holder = ready.native.parent()
    viewer.window._qt_window.show()
    cross = holder.findChild(QAbstractButton, "QTitleBarCloseButton")
    middle = QPointF(cross.rect().center())
    for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease):
        where, button = (middle, middle, middle), Qt.MouseButton.LeftButton
        QApplication.sendEvent(
            cross, QMouseEvent(kind, *where, button, button, Qt.KeyboardModifier.NoModifier)
        )
    viewer.window._qt_window.hide()
    assert len(asked) == 1
    assert ready.busy
    assert not client.closed
    viewer.window.remove_dock_widget(ready.native)  # a script is not asked
    qtbot.waitUntil(lambda: client.closed)
    assert len(asked) == 1


def test_the_live_prediction_is_of_the_plane_that_is_seen(dock, viewer, client, qtbot):
    stack = np.random.default_rng(0).random((6, 30, 40))
    paint = np.zeros(stack.shape, np.uint16)
    paint[0, :10, :10], paint[0, 20:, 20:] = 1, 2
    viewer.add_image(stack, name="stack")
    viewer.add_labels(paint)
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.commands))
    viewer.dims.set_point(1, 12)
    viewer.dims.order = (1, 0, 2)  # Z and X are shown, at Y 12
    qtbot.waitUntil(lambda: len(client.commands) > 1)
    request = client.commands[-1]
    shown = open_ref(request.image.data)
    assert request.image.axes == "ZYX"
    np.testing.assert_array_equal(shown, stack[:, : shown.shape[1]])  # with rows around it
    client.say(Preview(step=1, key=request.key, labels=np.full(shown.shape, 7, np.uint32)))
    qtbot.waitUntil(lambda: "stack · prediction" in viewer.layers)
    data = viewer.layers["stack · prediction"].data
    assert (data[:, 12] == 7).all()
    assert not np.delete(data, 12, axis=1).any()
