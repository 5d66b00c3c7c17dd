"""Training and segmenting in a real engine process, from arrays to a model and labels."""

import errno
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from unet_napari import estimate_diameter
from unet_napari.engine import (
    ArraysReady,
    AugmentationJob,
    DecodeJob,
    DiameterJob,
    EngineClient,
    ImageRef,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobWarning,
    PairRef,
    Preview,
    PreviewRequest,
    Progress,
    Saved,
    SegmentFileJob,
    SegmentJob,
    Started,
    Step,
    TrainJob,
    Validated,
)
from unet_napari.engine import client as engine_client
from unet_napari.engine.shared import SharedFolder
from unet_napari.engine.worker.job_context import Cancelled
from unet_napari.engine.worker.jobs import run_training
from unet_napari.engine.worker.segment_file import segment_into_file
from unet_napari.errors import OutputError
from unet_napari.images import Image, Normalisation, nuclei, read_image
from unet_napari.inference import InferenceConfig, segment_steps
from unet_napari.inference.attention_maps import gate_maps
from unet_napari.model.info import read_info
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import make_task
from unet_napari.training import Pair, TrainConfig, Trainer
from unet_napari.training.data.patch_sheet import augmented_examples

TORCH = InferenceConfig(backend="torch")
WAIT = 300.0  # seconds; the first job also waits for torch


@pytest.fixture(scope="module")
def client():
    """Return an engine with the real jobs, whose torch is imported once for all tests."""
    with EngineClient() as client:
        yield client


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Let a job that is asked to stop save its model, however slow the machine is."""
    monkeypatch.setattr(engine_client, "PATIENCE", WAIT)


@pytest.fixture(scope="module")
def picture():
    return nuclei((96, 128), count=40, seed=1)


def make_config(**settings):
    small = {"device": "cpu", "patch": (32, 32), "batch": 2, "steps": 8}
    return TrainConfig(**(small | {"network_options": {"features": [4, 8]}} | settings))


def train_job(client, picture, output, **settings):
    image, labels = picture
    reference = ImageRef(client.folder.share(image), "YX", {"Y": 0.5, "X": 0.5}, "nuclei")
    pair = PairRef(reference, client.folder.share(labels, snapshot=True))
    return TrainJob((pair,), make_config(**settings).to_dict(), str(output), "my nuclei")


def run(client, job, listener):
    assert client.submit(job, listener).wait(WAIT)
    assert len(listener.ends) == 1
    return listener.events[-1]


def of(kind, listener):
    return [event for event in listener.events if isinstance(event, kind)]


def labels_of(listener):
    [output] = of(ArraysReady, listener)
    return output.labels


@pytest.fixture(scope="module")
def model_path(client, picture, tmp_path_factory):
    """Return the path of a model that the engine has trained for a moment."""
    path = tmp_path_factory.mktemp("models") / "trained.unet"
    job = train_job(client, picture, path)
    assert client.submit(job, lambda _: None).wait(WAIT)
    return path


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


def test_segmenting_gives_what_the_same_model_gives_here(client, picture, listener, model_path):
    image = Image(picture[0], "YX", {"Y": 0.5, "X": 0.5})
    expected = np.zeros(image.shape, np.uint32)
    for _ in segment_steps(image, Model.load(model_path), expected, TORCH):
        pass
    reference = ImageRef(client.folder.share(image.data), "YX", image.pixel_size)
    finished = run(client, SegmentJob(reference, str(model_path), TORCH.to_dict()), listener)
    objects = len(np.unique(expected)) - 1
    kept = finished.result["kept"]
    assert finished.result == {"objects": objects, "unfamiliar": None, "kept": kept}
    assert isinstance(listener.events[0], ArraysReady)
    assert np.array_equal(labels_of(listener), expected)
    assert of(Progress, listener)[-1].done == of(Progress, listener)[-1].total
    assert ((0, 96), (0, 128)) in [event.region for event in of(Progress, listener)]


def test_the_transparency_of_a_colour_picture_is_left_out_for_a_model_of_colours(
    client, picture, listener, tmp_path
):
    options = {"in_channels": 3, "out_channels": 2, "features": [2, 4]}
    network = build_network("unet", options).eval()
    task = make_task({"name": "semantic", "classes": [1, 2]})
    Model(network, task, Normalisation(), {}, "colours").save(tmp_path / "colours.unet")
    colours = np.stack([picture[0], picture[0][::-1], picture[0][:, ::-1]], axis=-1)
    opaque = np.full_like(colours[..., :1], 255)
    found = []
    for pixels in (colours, np.concatenate([colours, opaque], axis=-1)):
        reference = ImageRef(client.folder.share(pixels), "YXC", {}, "picture")
        listener.events.clear()
        listener.ends.clear()
        job = SegmentJob(reference, str(tmp_path / "colours.unet"), maps=True)
        end = run(client, job, listener)
        assert isinstance(end, JobFinished), end
        [output] = of(ArraysReady, listener)
        found.append(np.array(output.maps))
    np.testing.assert_array_equal(*found)
    assert np.ptp(found[0]) > 0


def test_segmenting_can_return_the_maps(client, picture, listener, model_path):
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    finished = run(
        client, SegmentJob(reference, str(model_path), TORCH.to_dict(), maps=True), listener
    )
    assert isinstance(finished, JobFinished)
    [output] = of(ArraysReady, listener)
    assert output.map_names == Model.load(model_path).task.map_names
    maps = output.maps
    assert (maps.shape, maps.dtype) == ((3, 96, 128), np.float32)
    assert maps.min() >= 0
    assert 0 < maps.max() <= 1


def test_how_large_objects_are_is_measured_and_used(
    client, picture, listener, trained_model, tmp_path
):
    image = nuclei((192, 256), count=56, seed=5)[0]
    path = trained_model.save(tmp_path / "nuclei.unet")
    reference = ImageRef(client.folder.share(image), "YX")
    config = TORCH.to_dict()
    found = run(client, DiameterJob(reference, str(path), config), listener).result["diameter"]
    assert found == pytest.approx(estimate_diameter(image, trained_model))
    last = of(Progress, listener)[-1]
    assert last.done == last.total
    empty = ImageRef(client.folder.share(np.zeros((96, 96), np.uint8)), "YX")
    again = type(listener)()
    job = DiameterJob(empty, str(path), config, {"low": [100.0], "high": [1000.0]})
    assert run(client, job, again).result == {"diameter": None}


def test_a_part_may_be_segmented_with_the_brightness_of_the_whole(
    client, picture, listener, model_path
):
    model = Model.load(model_path)
    whole, part = Image(picture[0], "YX"), picture[0][:40, :40]
    statistics = model.normalisation.measure(whole).to_dict()
    reference = ImageRef(client.folder.share(part), "YX")
    job = SegmentJob(reference, str(model_path), TORCH.to_dict(), maps=True, statistics=statistics)
    run(client, job, listener)
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    again = type(listener)()
    run(client, SegmentJob(reference, str(model_path), TORCH.to_dict(), maps=True), again)
    # Far enough from the cut, the network sees the same.
    [found], [entire] = of(ArraysReady, listener), of(ArraysReady, again)
    assert np.allclose(found.maps[:, :20, :20], entire.maps[:, :20, :20], atol=1e-5)


EAGER = {"foreground_threshold": 0.4, "seed_threshold": 0.1, "min_size": 0}


def test_of_a_part_with_context_the_wanted_part_comes_back(client, picture, listener, model_path):
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    options = {"config": TORCH.to_dict(), "maps": True, "thresholds": EAGER}
    part = SegmentJob(
        reference, str(model_path), inner=((10, 60), (20, 100)), measure=True, **options
    )
    finished = run(client, part, listener)
    assert isinstance(finished, JobFinished), finished
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    whole = type(listener)()
    run(client, SegmentJob(reference, str(model_path), **options), whole)
    [found], [entire] = of(ArraysReady, listener), of(ArraysReady, whole)
    assert np.array_equal(found.labels, entire.labels[10:60, 20:100])
    assert np.array_equal(found.maps, entire.maps[:, 10:60, 20:100])
    table = finished.result["table"]
    ids, pixels = np.unique(found.labels[found.labels > 0], return_counts=True)
    assert finished.result["objects"] == len(ids) > 0
    assert table["label"] == tuple(ids)
    assert table["pixels"] == tuple(pixels)
    first = np.argwhere(found.labels == ids[0])
    assert np.allclose((table["centre_y"][0], table["centre_x"][0]), first.mean(axis=0))
    inside = picture[0][10:60, 20:100][found.labels == ids[0]]
    assert np.isclose(table["mean"][0], inside.mean())


def test_with_what_lies_around_the_cells_at_the_border_are_whole(
    client, picture, listener, model_path
):
    found, entire = [], []
    for outputs, inner in ((found, ((10, 60), (20, 100))), (entire, None)):
        reference = ImageRef(client.folder.share(picture[0]), "YX")
        job = SegmentJob(
            reference,
            str(model_path),
            inner=inner,
            around=inner is not None,
            config=TORCH.to_dict(),
            maps=True,
            thresholds=EAGER,
        )
        heard = type(listener)()
        outputs += [run(client, job, heard).result, *of(ArraysReady, heard)]
    assert np.array_equal(found[1].labels, entire[1].labels)
    assert np.array_equal(found[1].maps, entire[1].maps[:, 10:60, 20:100])
    inside = np.unique(entire[1].labels[10:60, 20:100])
    assert found[0]["objects"] == np.count_nonzero(inside) < entire[0]["objects"]
    assert found[0]["highest"] == entire[0]["objects"]


def test_thresholds_replace_those_of_the_model(client, picture, listener, model_path):
    model = Model.load(model_path)
    expected = np.zeros(picture[0].shape, np.uint32)
    eager = replace(model, task=replace(model.task, **EAGER))
    for _ in segment_steps(Image(picture[0], "YX"), eager, expected, TORCH):
        pass
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    run(client, SegmentJob(reference, str(model_path), TORCH.to_dict(), thresholds=EAGER), listener)
    assert expected.any()
    assert np.array_equal(labels_of(listener), expected)
    # The maps of a run with other thresholds, decoded again, give the same.
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    first, then = type(listener)(), type(listener)()
    number = run(client, SegmentJob(reference, str(model_path), TORCH.to_dict()), first)
    again = run(client, DecodeJob(number.result["kept"], EAGER), then)
    assert np.array_equal(again.result["labels"], expected)


def test_a_slice_of_a_lazily_read_stack(client, listener, model_path, tmp_path):
    stack, _ = nuclei((4, 64, 64), count=10, seed=2)
    stack.tofile(tmp_path / "stack.raw")
    mapped = np.memmap(tmp_path / "stack.raw", stack.dtype, "r", shape=stack.shape)
    reference = ImageRef(client.folder.share(mapped), "ZYX", fixed={"Z": 2})
    run(client, SegmentJob(reference, str(model_path), TORCH.to_dict()), listener)
    expected = np.zeros((64, 64), np.uint32)
    for _ in segment_steps(Image(stack[2], "YX"), Model.load(model_path), expected, TORCH):
        pass
    assert np.array_equal(labels_of(listener), expected)


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

    def send(self, event):
        pass

    def take_command(self):
        return None


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


def test_cancelling_a_segmentation_changes_nothing(client, listener, model_path):
    noise = np.random.default_rng(0).integers(0, 255, (200, 256, 256), np.uint8)
    reference = ImageRef(client.folder.share(noise), "ZYX")
    config = InferenceConfig(backend="torch", slicewise=True).to_dict()
    handle = client.submit(SegmentJob(reference, str(model_path), config), listener)
    while not isinstance(listener.next(), Progress):
        pass
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert listener.ends == [JobCancelled()]


def test_labels_of_an_image_are_saved_to_a_file(client, picture, listener, model_path, tmp_path):
    image = Image(picture[0], "YX", {"Y": 0.5, "X": 0.5})
    expected = np.zeros(image.shape, np.uint32)
    for _ in segment_steps(image, Model.load(model_path), expected, TORCH):
        pass
    reference = ImageRef(client.folder.share(image.data), "YX", image.pixel_size)
    path = tmp_path / "labels.zarr"
    job = SegmentFileJob(reference, str(model_path), str(path), TORCH.to_dict(), measure=True)
    finished = run(client, job, listener)
    saved = read_image(path)
    assert np.array_equal(saved.read()[0], expected)
    assert saved.pixel_size == image.pixel_size
    assert finished.result["objects"] == len(np.unique(expected)) - 1
    assert len(finished.result["table"]["label"]) == finished.result["objects"]
    twin = ImageRef(client.folder.share(image.data), "YX")
    again = run(client, replace(job, image=twin), type(listener)())
    assert isinstance(again, JobFailed)
    assert "exists already" in again.message
    assert {item.name for item in tmp_path.iterdir()} == {"labels.zarr"}


class Context:
    """That of a job which is stopped as soon as it has saved how far it is."""

    def __init__(self, folder, kept):
        self.folder, self._kept = folder, kept
        self.stages = []

    def send(self, progress):
        self.stages.append(progress.stage)

    def check(self):
        if self._kept.exists():
            raise Cancelled


def test_a_stopped_segmentation_into_a_file_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("unet_napari.inference.segment._takes_long", lambda _: True)
    monkeypatch.setattr("unet_napari.inference.storage.unfinished._SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr("unet_napari.inference.storage.unfinished._TIMES_A_SAVE", 0.0)
    network = build_network("unet", {"in_channels": 1, "out_channels": 3, "features": (4, 8)})
    task = make_task({"name": "semantic", "classes": (1, 2, 3)})
    model = Model(network, task, Normalisation()).save(tmp_path / "model.unet")
    pixels = np.stack([nuclei((96, 64), count=20, seed=z)[0] for z in range(5)])
    stack = zarr.create_array(tmp_path / "stack.zarr", shape=pixels.shape, dtype=pixels.dtype)
    stack[...] = pixels
    folder = SharedFolder()
    image = ImageRef(folder.share(stack), "ZYX", source=str(tmp_path / "stack.zarr"))
    config = replace(TORCH, slicewise=True, tile=(64, 64))
    path = tmp_path / "labels.zarr"
    job = SegmentFileJob(image, str(model), str(path), config.to_dict())
    kept = tmp_path / ".labels.zarr.unfinished"
    first = Context(folder, kept / "state.safetensors")
    assert segment_into_file(job, first) == {"stopped": True, "kept": True}
    assert not path.exists()
    second = Context(folder, tmp_path / "nothing stops it")
    assert segment_into_file(job, second) == {"objects": None, "unfamiliar": None}
    assert any(stage.startswith("continuing at") for stage in second.stages)
    expected = np.zeros(pixels.shape, np.uint32)
    for _ in segment_steps(Image(pixels, "ZYX"), Model.load(model), expected, config):
        pass
    assert np.array_equal(read_image(path).read()[0], expected)
    assert len(np.unique(expected)) > 1
    assert not kept.exists()
    folder.close()


def test_the_gates_of_an_attention_network_come_behind_the_maps(
    client, picture, listener, tmp_path
):
    network = build_network("attention_unet", {"ndim": 2, "features": [4, 8, 8], "out_channels": 3})
    model = Model(network.eval(), make_task({"name": "cells"}), Normalisation(), name="gates")
    path = model.save(tmp_path / "gates.unet")
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    inner = ((10, 60), (20, 100))
    job = SegmentJob(reference, str(path), TORCH.to_dict(), maps=True, attention=True, inner=inner)
    assert isinstance(run(client, job, listener), JobFinished)
    [output] = of(ArraysReady, listener)
    assert output.map_names == (
        *model.task.map_names, "attention, level 1", "attention, level 2",
    )  # fmt: skip
    gates = gate_maps(Image(picture[0], "YX"), Model.load(path), TORCH)
    np.testing.assert_allclose(output.maps[3:], gates[:, 10:60, 20:100], atol=1e-6)
    assert output.maps[0].max() > 0


def test_a_picture_of_augmented_patches(client, picture, listener, tmp_path):
    job = train_job(client, picture, tmp_path / "never.unet")
    finished = run(client, AugmentationJob(job.pairs, job.config), listener)
    image, labels = picture
    pair = Pair(Image(image, "YX", {"Y": 0.5, "X": 0.5}, name="nuclei"), labels)
    expected = augmented_examples([pair], make_config())
    assert np.array_equal(finished.result["picture"], expected)
    assert list(tmp_path.iterdir()) == []
