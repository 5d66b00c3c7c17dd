"""The real jobs over a real SSH: training with strokes and previews, and segmenting."""

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

import slow_line as slow_line_program
from engine_jobs import WAIT, of, run, train_job
from process_watch import wait_until
from unet_napari.engine import (
    ArraysReady,
    ConnectionChanged,
    EngineClient,
    ImageRef,
    ListItem,
    PaintTaken,
    PaintUpdate,
    Preview,
    PreviewRequest,
    Saved,
    SegmentFileJob,
    SegmentJob,
    SegmentListJob,
    Started,
    Step,
)
from unet_napari.engine import client as engine_client
from unet_napari.engine.remote import remote_process
from unet_napari.engine.remote.host import RemoteHost
from unet_napari.engine.remote.runs import segment_region_on
from unet_napari.images import Image, nuclei, read_image
from unet_napari.inference import InferenceConfig, segment_steps
from unet_napari.inference.regions.placed import place_region
from unet_napari.inference.regions.region import ImageRegion
from unet_napari.inference.regions.region_run import region_steps
from unet_napari.model.info import find_model, read_info
from unet_napari.model.model import Model
from unet_napari.model.versions import versions_of
from unet_napari.training.state.state_file import read_state_head

TORCH = InferenceConfig(backend="torch")


@pytest.fixture(scope="module")
def client(server):
    with pytest.MonkeyPatch.context() as monkeypatch:
        server.put_on_path(monkeypatch)
        with EngineClient(host=RemoteHost("server", server.python)) as client:
            yield client


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Let a job that is asked to stop save its model, however slow the machine is."""
    monkeypatch.setattr(engine_client, "PATIENCE", WAIT)


@pytest.fixture(scope="module")
def picture():
    return nuclei((96, 128), count=40, seed=1)


def test_a_model_is_trained_there_and_lies_here(client, picture, listener, tmp_path):
    output, state = tmp_path / "mine.unet", tmp_path / "mine.state"
    job = train_job(client, picture, output)
    job = type(job)(**{**vars(job), "state": str(state)})
    end = run(client, job, listener)
    assert end.result["model"] == str(output)
    assert {event.path for event in of(Saved, listener)} == {str(output)}
    assert Model.load(output).name == "my nuclei"
    assert read_state_head(state).task == "cells"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.state", "mine.unet"]


def test_a_training_goes_on_with_its_state_and_what_was_there_becomes_a_version(
    client, picture, listener, tmp_path
):
    output, state = tmp_path / "mine.unet", tmp_path / "mine.state"
    job = train_job(client, picture, output)
    job = type(job)(**{**vars(job), "state": str(state)})
    first = run(client, job, listener).result
    again = train_job(client, picture, output, steps=16)
    again = type(job)(**{**vars(again), "state": str(state), "resume": True})
    listener.events.clear()
    listener.ends.clear()
    second = run(client, again, listener).result
    assert (first["steps"], second["steps"]) == (8, 24)
    assert len(versions_of(output)) == 1


def test_strokes_and_views_reach_the_training_and_previews_come_back(
    client, picture, listener, tmp_path
):
    image, labels = picture
    job = train_job(client, picture, tmp_path / "live.unet", live=True, steps=None)
    handle = client.submit(job, listener)
    while not isinstance(listener.next(), Started):
        pass
    seen = ImageRef(client.folder.share(image[:64, :64], snapshot=True), "YX", {}, "view")
    client.command(handle, PreviewRequest(seen, "a view"))
    stroke = client.folder.share(labels[:16, :16], snapshot=True)
    client.command(handle, PaintUpdate(0, (0, 0), stroke, number=1))
    wanted = {Preview, PaintTaken}
    while wanted:
        wanted.discard(type(listener.next()))
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert of(PaintTaken, listener)[0].number == 1
    preview = of(Preview, listener)[0]
    assert (preview.key, preview.labels.shape) == ("a view", (64, 64))
    assert listener.events[-1].result["stopped"]
    assert (tmp_path / "live.unet").is_file()


def test_segmenting_there_gives_what_the_same_model_gives_here(client, picture, listener, tmp_path):
    path = tmp_path / "mine.unet"  # another name than that of the package's own
    shutil.copy(find_model("nuclei"), path)
    image = Image(np.tile(picture[0], (6, 6)), "YX")
    expected = np.zeros(image.shape, np.uint32)
    for _ in segment_steps(image, Model.load(path), expected, TORCH):
        pass
    assert expected.any()
    reference = ImageRef(client.folder.share(image.data), "YX")
    run(client, SegmentJob(reference, str(path), TORCH.to_dict()), listener)
    [output] = of(ArraysReady, listener)
    np.testing.assert_array_equal(output.labels, expected)
    mask = np.zeros(image.shape, np.uint8)
    mask[100:300, 150:230] = 1
    for region in (mask, "YX=(300 60, 520 90, 400 250)"):
        here, there = np.zeros((2, *image.shape), np.uint32)
        here[0, 0] = there[0, 0] = 7  # what lies outside stays
        wanted = ImageRegion.of(region)
        model = Model.load(path)
        for _ in region_steps(image, model, place_region(wanted, image), here, TORCH, highest=7):
            pass
        settings = (TORCH, {}, wanted)
        for _ in segment_region_on(client, image, path, there, *settings, highest=7):
            pass
        assert len(np.unique(here)) > 10
        np.testing.assert_array_equal(there, here)


def test_labels_are_written_there_into_a_folder_that_both_see(
    client, server, listener, picture, tmp_path
):
    there = tmp_path / "there"
    there.symlink_to(tmp_path / "here")
    (tmp_path / "here").mkdir()
    client.move_to(RemoteHost("server", server.python, ((str(tmp_path / "here"), str(there)),)))
    image = zarr.create_array(tmp_path / "here" / "a.zarr", shape=(96, 128), dtype="u2")
    image[...] = picture[0]
    reference = ImageRef(client.folder.share(image), "YX")
    output = tmp_path / "here" / "labels.zarr"
    items = (ListItem(str(tmp_path / "here" / "a.zarr"), str(tmp_path / "here" / "b.zarr")),)
    end = run(client, SegmentFileJob(reference, "nuclei", str(output), TORCH.to_dict()), listener)
    assert end.result["objects"] == len(np.unique(read_image(output).data[...])) - 1 > 5
    listed = run(client, SegmentListJob(items, "nuclei", TORCH.to_dict()), type(listener)())
    assert listed.result["done"] == 1
    assert read_image(tmp_path / "here" / "b.zarr").data[...].max() > 5


def until(listener, *kinds):
    """Wait for the next event of some kind."""
    while not isinstance(listener.next(), kinds):
        pass


def test_a_training_goes_on_without_its_connection_and_is_taken_up_again(
    client, picture, listener, tmp_path, monkeypatch
):
    monkeypatch.setattr(remote_process, "_PAUSE", 1.0)
    job = train_job(client, picture, tmp_path / "lost.unet", live=True, steps=None)
    handle = client.submit(job, listener)
    until(listener, Step)
    os.killpg(client.pid, signal.SIGKILL)
    until(listener, ConnectionChanged)
    until(listener, ConnectionChanged)
    until(listener, Step)
    client.cancel(handle)
    assert handle.wait(WAIT)
    steps = [event.step for event in of(Step, listener)]
    assert steps == list(range(steps[0], steps[-1] + 1, steps[1] - steps[0]))
    assert listener.events[-1].result["stopped"]
    assert (tmp_path / "lost.unet").is_file()


def seconds_to_a_preview(client, picture, listener, output):
    """Train live, and return how long it takes until the first preview is there."""
    began = time.monotonic()
    job = train_job(client, picture, output, live=True, steps=None)
    handle = client.submit(job, listener)
    view = ImageRef(client.folder.share(picture[0][:256, :256], snapshot=True), "YX", {}, "view")
    client.command(handle, PreviewRequest(view, "a view"))
    while not isinstance(listener.next(), Preview):
        pass
    seconds = time.monotonic() - began
    client.cancel(handle)
    assert handle.wait(WAIT)
    return seconds


def test_over_a_slow_line_the_first_preview_is_at_most_ten_seconds_later(
    client, server, listener, tmp_path
):
    picture = nuclei((1024, 1024), count=400, seed=1)
    run(client, train_job(client, nuclei((64, 64), count=9, seed=0), tmp_path / "a.unet"), listener)
    here = seconds_to_a_preview(client, picture, type(listener)(), tmp_path / "fast.unet")
    server.lead(f"{sys.executable} {slow_line_program.__file__} 0.05 1250000")  # 10 Mbit/s
    os.killpg(client.pid, signal.SIGKILL)  # the next connection is the slow one
    there = seconds_to_a_preview(client, picture, type(listener)(), tmp_path / "slow.unet")
    server.lead("")
    os.killpg(client.pid, signal.SIGKILL)
    assert there - here < 10


@pytest.mark.parametrize("pulled", [False, True], ids=["line", "pulled"])
def test_stop_ends_a_training_within_two_seconds(
    client, picture, listener, tmp_path, monkeypatch, pulled
):
    monkeypatch.setattr(engine_client, "PATIENCE", 1.5)
    job = train_job(client, picture, tmp_path / "stopped.unet", live=True, steps=None)
    handle = client.submit(job, listener)
    until(listener, Saved)
    session = client._workers[0]._session
    if pulled:
        os.kill(client.pid, signal.SIGSTOP)
    began = time.monotonic()
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert time.monotonic() - began < 10  # 1.5 s, and what a busy machine takes
    assert listener.events[-1].result["stopped"]
    assert read_info(tmp_path / "stopped.unet").name == "my nuclei"
    if pulled:  # where the host can be reached, its part ends, too
        wait_until(lambda: not (Path(tempfile.gettempdir()) / f"unet-napari-{session}").exists())
