"""Training and segmenting in a real engine process, from arrays to a model and labels."""

import errno
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from engine_jobs import WAIT, make_config, of, run, train_job
from unet_napari.engine import (
    AugmentationJob,
    ImageRef,
    JobFailed,
    JobFinished,
    JobWarning,
    PairRef,
    Preview,
    PreviewRequest,
    Saved,
    SegmentJob,
    Started,
    Step,
    TrainJob,
    Validated,
)
from unet_napari.engine.arrays import open_ref
from unet_napari.engine.shared import SharedFolder
from unet_napari.engine.worker.job_context import Cancelled
from unet_napari.engine.worker.train import run_training
from unet_napari.errors import OutputError
from unet_napari.images import Image
from unet_napari.model.info import read_info
from unet_napari.model.model import Model
from unet_napari.training import Pair, Trainer
from unet_napari.training.data.patch_sheet import augmented_examples


def test_training_reports_and_saves_the_best_model(client, picture, listener, tmp_path):
    path = tmp_path / "new.unet"
    finished = run(client, train_job(client, picture, path), listener)
    assert isinstance(finished, JobFinished)
    assert isinstance(listener.events[0], Started)
    assert [event.step for event in of(Step, listener)] == list(range(1, 9))
    assert of(Validated, listener)
    assert of(Saved, listener)[-1].path == str(path)
    info = read_info(path)
    assert info.name == "my nuclei"
    assert info.pixel_size == {"Y": 0.5, "X": 0.5}
    assert finished.result == {
        "model": str(path),
        "stopped": False,
        "reason": info.provenance["finished"],
        "score": info.provenance["score"],
        "score_name": "AP50",
        "verdict": of(Saved, listener)[-1].verdict,
        "step": info.provenance["step"],
        "steps": 8,
    }
    assert finished.result["verdict"]
    assert list(tmp_path.iterdir()) == [path]


def test_the_engine_trains_what_the_trainer_trains(picture, model_path):
    image, labels = picture
    pair = Pair(Image(image, "YX", {"Y": 0.5, "X": 0.5}, name="nuclei"), labels)
    trainer = Trainer([pair], make_config())
    for _ in trainer.run():
        pass
    expected = trainer.best_model().network.state_dict()
    found = Model.load(model_path).network.state_dict()
    assert all(np.array_equal(found[key], expected[key]) for key in expected)


def test_stopping_a_training_keeps_its_model(client, picture, listener, tmp_path):
    path = tmp_path / "stopped.unet"
    handle = client.submit(train_job(client, picture, path, steps=1_000_000), listener)
    while not isinstance(listener.next(), Step):
        pass
    client.cancel(handle)
    assert handle.wait(WAIT)
    [finished] = listener.ends
    assert finished.result["stopped"] is True
    assert finished.result["model"] == str(path)
    assert Model.load(path).ndim == 2


def test_previews_show_the_requested_part_while_training_goes_on(
    client, picture, listener, tmp_path
):
    handle = client.submit(
        train_job(client, picture, tmp_path / "a.unet", steps=1_000_000), listener
    )
    part = picture[0][10:50, 20:70]
    client.command(handle, PreviewRequest(ImageRef(client.folder.share(part), "YX"), "first"))
    first = second = None
    while second is None:
        event = listener.next()
        if isinstance(event, Preview):
            first, second = (event, None) if first is None else (first, event)
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert (first.key, second.key) == ("first", "first")
    assert second.step > first.step
    assert first.labels.shape == (40, 50)
    assert first.labels.dtype == np.uint32


def test_a_preview_that_cannot_be_made_leaves_the_training_alone(
    client, picture, listener, tmp_path
):
    handle = client.submit(train_job(client, picture, tmp_path / "a.unet", steps=20), listener)
    two_channels = np.zeros((2, 16, 16), np.uint8)
    client.command(handle, PreviewRequest(ImageRef(client.folder.share(two_channels), "CYX")))
    assert handle.wait(WAIT)
    assert isinstance(listener.events[-1], JobFinished)
    assert any("no live prediction" in event.message for event in of(JobWarning, listener))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_an_engine_killed_while_training_keeps_the_best_model(client, picture, listener, tmp_path):
    path = tmp_path / "kept.unet"
    # It is validated and saved twenty times, so that much is left to do after the first time.
    handle = client.submit(train_job(client, picture, path, steps=100), listener)
    while not isinstance(listener.next(), Saved):
        pass
    os.kill(client.pid, signal.SIGKILL)
    assert handle.wait(WAIT)
    [failed] = listener.ends
    assert "was killed" in failed.message
    # The engine may be killed between the save after a step and the report of that step.
    last = max(event.step for event in listener.events if isinstance(event, Step | Saved))
    assert f" of {last} is kept in '{path}'" in failed.message
    assert Model.load(path).name == "my nuclei"
    assert [path for folder in client.folder.folders for path in Path(folder).iterdir()] == []


@pytest.mark.parametrize(
    ("shape", "axes", "config", "message"),
    [
        ((2, 32, 32), "CYX", {}, "2 channels"),
        ((32, 32), "YX", {"surplus": 1}, "surplus"),
    ],
)
def test_what_does_not_fit_is_one_message_and_leaves_nothing(
    client, listener, model_path, shape, axes, config, message
):
    reference = ImageRef(client.folder.share(np.ones(shape, np.uint8)), axes)
    failed = run(client, SegmentJob(reference, str(model_path), config), listener)
    assert isinstance(failed, JobFailed)
    assert failed.user_error
    assert message in failed.message
    assert [path for folder in client.folder.folders for path in Path(folder).iterdir()] == []


class Silent:
    """The context of a job that nobody listens to."""

    cancelled = False

    def __init__(self, folder):
        self.folder = folder

    def open(self, reference):
        return open_ref(reference, folders=self.folder.folders)

    def send(self, event):
        pass

    def take_commands(self, wait=0.0):
        return []


class StoppedAt(Silent):
    """The context of a job that is stopped after so many steps."""

    def __init__(self, folder, step):
        super().__init__(folder)
        self._step = step

    def send(self, event):
        self.cancelled = isinstance(event, Step) and event.step == self._step


@pytest.mark.parametrize("most", [3, 1000])
def test_a_stop_keeps_what_was_learnt_with_and_without_a_score(picture, tmp_path, most):
    folder = SharedFolder()
    labels = np.where(picture[1] <= most, picture[1], 0)
    pair = PairRef(ImageRef(folder.share(picture[0]), "YX"), folder.share(labels, snapshot=True))
    path = tmp_path / "stopped.unet"
    job = TrainJob((pair,), make_config(steps=1000).to_dict(), str(path), "stopped")
    result = run_training(job, StoppedAt(folder, 5))
    assert (result["step"], result["steps"], result["stopped"]) == (5, 5, True)
    trainer = Trainer([Pair(Image(picture[0], "YX"), labels)], make_config(steps=1000))
    events = trainer.run()
    while not isinstance(event := next(events), Step) or event.step < 5:
        pass
    expected = trainer.best_model().network.state_dict()
    found = Model.load(path)
    assert all(np.array_equal(found.network.state_dict()[key], expected[key]) for key in expected)
    assert found.thumbnail is not None
    folder.close()


def test_a_training_stopped_before_its_first_step_leaves_no_model(picture, tmp_path):
    folder = SharedFolder()
    pair = PairRef(
        ImageRef(folder.share(picture[0]), "YX"), folder.share(picture[1], snapshot=True)
    )
    job = TrainJob((pair,), make_config().to_dict(), str(tmp_path / "a.unet"), "a")
    context = Silent(folder)
    context.cancelled = True
    with pytest.raises(Cancelled):
        run_training(job, context)
    assert list(tmp_path.iterdir()) == []
    folder.close()


def test_a_disk_that_is_full_when_the_model_is_saved_is_told_and_leaves_the_earlier_one(
    picture, tmp_path, monkeypatch
):
    folder = SharedFolder()
    image = ImageRef(folder.share(picture[0]), "YX")
    pair = PairRef(image, folder.share(picture[1], snapshot=True))
    path = tmp_path / "mine.unet"
    path.write_bytes(b"the earlier one")
    job = TrainJob((pair,), make_config(steps=1).to_dict(), str(path), "mine")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("unet_napari.system.atomic.os.fsync", full)
        with pytest.raises(OutputError, match=r"The disk is full: .*mine\.unet.*make room"):
            run_training(job, Silent(folder))
    assert path.read_bytes() == b"the earlier one"
    assert list(tmp_path.iterdir()) == [path]
    assert run_training(job, Silent(folder))["model"] == str(path)
    folder.close()


def test_an_output_that_cannot_be_written_is_said_before_training(
    client, picture, listener, tmp_path
):
    job = train_job(client, picture, tmp_path / "absent" / "a.unet")
    failed = run(client, job, listener)
    assert failed.user_error
    assert "does not exist" in failed.message
    assert len(listener.events) == 1


def test_a_picture_of_augmented_patches(client, picture, listener, tmp_path):
    job = train_job(client, picture, tmp_path / "never.unet")
    finished = run(client, AugmentationJob(job.pairs, job.config), listener)
    image, labels = picture
    pair = Pair(Image(image, "YX", {"Y": 0.5, "X": 0.5}, name="nuclei"), labels)
    expected = augmented_examples([pair], make_config())
    assert np.array_equal(finished.result["picture"], expected)
    assert list(tmp_path.iterdir()) == []
