"""After a Stop, a closed dock or a kill: Train becomes Continue, and nothing is lost."""

import numpy as np
import pytest

from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.layers.background_paint import background_number
from unet_napari.engine import JobFailed, JobFinished
from unet_napari.engine.arrays import open_ref
from unet_napari.errors import SettingsError
from unet_napari.model.names import Claim


def result(job, **facts):
    return JobFinished(
        {
            "model": job.output,
            "score": 0.71,
            "score_name": "AP50",
            "step": 40,
            "steps": 40,
            "reason": "Stopped.",
            **facts,
        }
    )


@pytest.fixture
def stopped(dock, start, client, painted, keep_state, models_folder, qtbot):
    """A dock whose training was stopped, with its state beside the model."""
    start()
    keep_state(*painted)
    client.say(result(client.jobs[-1]))
    qtbot.waitUntil(lambda: dock.run.text == "Continue")
    return dock


def again(dock, client, qtbot):
    """Press the button, and return the job that the engine gets."""
    before = len(client.jobs)
    qtbot.waitUntil(lambda: dock.run.enabled)
    dock._double_click.stop()
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) > before)
    return client.jobs[-1]


def test_the_first_training_keeps_its_state_beside_the_model(dock, start, client, models_folder):
    start()
    (job,) = client.jobs
    assert job.output == str(models_folder / "nuclei cells.unet")
    assert job.state == str(models_folder / "nuclei cells.state")
    assert not job.resume
    assert job.config["live"]
    assert job.config["seconds"] is None


def test_continue_goes_on_in_one_click_with_the_labels_of_now(stopped, client, viewer, qtbot):
    layer = viewer.layers["paint"]
    layer.paint((80, 100), 9)
    job = again(stopped, client, qtbot)
    assert job.resume
    assert job.output == client.jobs[0].output
    assert job.state == client.jobs[0].state
    assert open_ref(job.pairs[0].labels)[80, 100] == 9
    assert stopped.plot.loss.points == [(1, 0.9), (40, 0.4)]
    assert stopped.plot.score.points == [(40, 0.71)]


def test_another_budget_goes_on_and_other_settings_begin_anew(stopped, client, models_folder):
    stopped.effort.value = "quick"
    assert stopped.run.text == "Continue"
    for name, value in {"augmentation": "none", "dimensions": 3, "model_name": "other"}.items():
        field = stopped[name]
        before, field.value = field.value, value
        assert stopped.run.text == "Train", name
        field.value = before
        assert stopped.run.text == "Continue", name
    stopped.task.value = "semantic"
    assert stopped.run.text == "Train"


def test_start_over_keeps_the_name_of_the_model(stopped, client, qtbot):
    stopped._double_click.stop()
    stopped.start_over.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 2)
    job = client.jobs[1]
    assert not job.resume
    assert job.output == client.jobs[0].output
    assert stopped.plot.loss.points == []


def test_a_model_that_is_trained_elsewhere_is_not_trained_twice(stopped, client, qtbot):
    held = Claim("nuclei cells", again=True)
    stopped.run.native.click()
    qtbot.waitUntil(lambda: stopped.status.is_error)
    assert "'nuclei cells' is being trained elsewhere" in stopped.status.value
    assert not stopped.busy
    held.release()
    with pytest.raises(SettingsError, match="letters or digits"):
        Claim("///", again=True)


def test_another_image_has_nothing_to_go_on_with(stopped, viewer, painted, qtbot):
    other = viewer.add_image(painted[0][::-1].copy(), name="other")
    first = stopped.image.value
    stopped.image.value = other
    assert stopped.run.text == "Train"
    qtbot.waitUntil(lambda: not stopped.start_over.enabled)
    stopped.image.value = first
    qtbot.waitUntil(lambda: stopped.run.text == "Continue")


def test_a_killed_engine_leaves_something_to_go_on_with(
    dock, start, client, keep_state, painted, qtbot
):
    start()
    keep_state(*painted)
    client.say(JobFailed("The engine process was killed.", user_error=True))
    qtbot.waitUntil(lambda: dock.run.text == "Continue")
    assert dock.status.value == "The engine process was killed."
    assert again(dock, client, qtbot).resume


@pytest.fixture
def reopened(viewer, job, painted, keep_state, qtbot):
    """A new program: the image is opened again, the paint is not."""
    keep_state(*painted)
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Train U-Net")
    viewer.add_image(painted[0], name="the same image")
    qtbot.waitUntil(lambda: dock.run.text == "Continue")
    return dock


def test_after_a_kill_one_click_brings_the_paint_back_and_goes_on(
    reopened, viewer, client, painted, qtbot
):
    assert reopened.run.enabled
    assert reopened.status.value == (
        "Continue goes on with the training 'nuclei cells' (AP50 0.71) and brings its paint back."
    )
    job = again(reopened, client, qtbot)
    assert job.resume
    layer = viewer.layers["the same image labels"]
    np.testing.assert_array_equal(layer.data, painted[1])
    assert layer.data.dtype == painted[1].dtype
    assert background_number(layer) is None
    assert reopened.labels.value is layer
    np.testing.assert_array_equal(open_ref(job.pairs[0].labels), painted[1])


def test_start_over_after_a_kill_brings_the_paint_back_too(reopened, client, painted, qtbot):
    reopened.start_over.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert not client.jobs[0].resume
    np.testing.assert_array_equal(open_ref(client.jobs[0].pairs[0].labels), painted[1])


def test_the_paint_comes_back_as_a_layer_of_its_own(reopened, viewer, painted, qtbot):
    reopened.paint_back.native.click()
    qtbot.waitUntil(lambda: reopened.labels.value is not None)
    np.testing.assert_array_equal(reopened.labels.value.data, painted[1])
    assert reopened.run.text == "Continue"


def test_the_task_of_the_training_is_chosen_once(viewer, job, painted, keep_state, qtbot):
    keep_state(*painted, task="semantic")
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Train U-Net")
    viewer.add_image(painted[0], name="nuclei")
    qtbot.waitUntil(lambda: dock.task.value == "semantic")
    dock.task.value = "cells"
    dock.look_for_training()
    qtbot.wait(300)
    assert dock.task.value == "cells"
    assert dock.run.text == "Train"


def test_background_of_the_paint_is_grey_again(viewer, job, client, painted, keep_state, qtbot):
    labels = painted[1].copy()
    labels[90:, :20] = 65535
    keep_state(painted[0], labels, background=(65535,))
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Train U-Net")
    viewer.add_image(painted[0], name="nuclei")
    qtbot.waitUntil(lambda: dock.paint_back.enabled)
    begun = again(dock, client, qtbot)
    assert background_number(dock.labels.value) == 65535
    assert begun.pairs[0].background == 65535


def test_a_damaged_state_is_no_offer(viewer, job, painted, keep_state, qtbot):
    keep_state(*painted).write_bytes(b"no state at all")
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Train U-Net")
    viewer.add_image(painted[0], name="nuclei")
    qtbot.wait(500)
    assert dock.run.text == "Train"
    assert not dock.status.is_error


def test_a_state_that_goes_meanwhile_is_one_clear_message(reopened, client, models_folder, qtbot):
    (models_folder / "nuclei cells.state").unlink()
    reopened.run.native.click()
    qtbot.waitUntil(lambda: not reopened.busy)
    assert "There is no training to continue" in reopened.status.value
    qtbot.waitUntil(lambda: reopened.run.text == "Train")


def test_a_deleted_model_is_written_anew(stopped, client, models_folder, qtbot):
    assert not (models_folder / "nuclei cells.unet").exists()  # this engine writes none
    job = again(stopped, client, qtbot)
    assert job.resume
    assert job.output == str(models_folder / "nuclei cells.unet")


def test_correcting_and_training_again_takes_one_click_at_most(stopped, client, viewer, qtbot):
    """A stroke while it is live takes none, and after a Stop it is Continue alone."""
    clicks = []
    stopped.run.changed.connect(clicks.append)
    viewer.layers["paint"].paint((80, 100), 9)
    assert again(stopped, client, qtbot).resume
    assert len(clicks) == 1


def test_regions_come_back_as_shapes(viewer, job, client, painted, keep_state, qtbot):
    annotated = np.zeros(painted[1].shape, bool)
    annotated[50:90, :40] = annotated[3:9, 100:128] = True
    annotated[60:70, 40:60] = True
    keep_state(*painted, annotated=annotated)
    dock = TrainDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Train U-Net")
    viewer.add_image(painted[0], name="nuclei", scale=(0.5, 0.5))
    qtbot.waitUntil(lambda: dock.run.text == "Continue")
    begun = again(dock, client, qtbot)
    assert dock.settings.annotated.value is viewer.layers["nuclei complete"]
    np.testing.assert_array_equal(open_ref(begun.pairs[0].annotated), annotated)
