"""A list of images segmented by the engine process: its lines, its tables, Stop and going on."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from engine_jobs import WAIT, of, run
from unet_napari.engine import (
    ImageLine,
    ImageRef,
    JobFailed,
    JobFinished,
    ListItem,
    Progress,
    SegmentListJob,
)
from unet_napari.images import read_image
from unet_napari.inference import InferenceConfig

TORCH = InferenceConfig(backend="torch", device="cpu").to_dict()


@pytest.fixture
def job(client, painted_nuclei, trained_model, tmp_path):
    """Return the job of a list of two files, one of which is gone, and a layer."""
    pixels = painted_nuclei[0]
    model = trained_model.save(tmp_path / "model.unet")
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    layer = ImageRef(client.folder.share(pixels[:60]), "YX", {"Y": 0.5, "X": 0.5}, "layer")
    items = (
        ListItem(str(tmp_path / "a.tif"), str(tmp_path / "out" / "a.tif")),
        ListItem(str(tmp_path / "gone.tif"), str(tmp_path / "out" / "gone.tif")),
        ListItem(layer, str(tmp_path / "out" / "b.tif"), name="b"),
    )
    return SegmentListJob(
        items, str(model), TORCH, table=str(tmp_path / "all.csv"),
        listing=str(tmp_path / "lists" / "list.csv"), sheet=str(tmp_path / "sheet.png"),
    )  # fmt: skip


def test_a_list_is_segmented_with_a_line_for_each_image(client, job, listener, tmp_path):
    finished = run(client, job, listener)
    assert finished == JobFinished(
        {"done": 2, "unchanged": 0, "kept": 0, "failed": 1,
         "not_tried": 0, "reason": "", "stopped": False}
    )  # fmt: skip
    lines = of(ImageLine, listener)
    assert [(line.name, line.state) for line in lines] == [
        ("a", "done"), ("gone", "failed"), ("b", "done")
    ]  # fmt: skip
    for line in (lines[0], lines[2]):
        labels = read_image(line.output).read()[0]
        assert line.objects == len(np.unique(labels)) - 1 > 0
        assert 0 < line.doubt <= line.worst <= 1
        assert labels[line.worst_at] > 0
        assert isinstance(line.thumbnail, np.ndarray)
        assert line.thumbnail.shape == (*labels.shape, 3)
    assert "gone.tif does not exist" in lines[1].message
    assert read_image(lines[2].output).pixel_size == {"Y": 0.5, "X": 0.5}
    steps = of(Progress, listener)
    assert {step.total for step in steps} == {3000}
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    with (tmp_path / "all.csv").open(newline="") as file:
        assert {row["image"] for row in csv.DictReader(file)} == {"a", "b"}
    with (tmp_path / "lists" / "list.csv").open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["done", "failed", "done"]
    assert (tmp_path / "sheet.png").stat().st_size > 0
    again = type(listener)()  # the layer's array was the first job's
    files = replace(job, images=job.images[:2])
    assert run(client, files, again).result["unchanged"] == 1
    after = of(ImageLine, again)[0]
    assert (after.objects, after.doubt, after.worst_at, after.message) == (
        lines[0].objects, lines[0].doubt, lines[0].worst_at, ""
    )  # fmt: skip


def test_a_stop_ends_with_a_result_that_counts_what_is_whole(client, job, listener, tmp_path):
    many = tuple(
        ListItem(str(tmp_path / "a.tif"), str(tmp_path / "out" / f"{number}.tif"))
        for number in range(500)
    )
    handle = client.submit(
        SegmentListJob(many, job.model, TORCH, listing=str(tmp_path / "list.csv")), listener
    )
    while not isinstance(listener.next(), ImageLine):
        pass
    client.cancel(handle)
    assert handle.wait(WAIT)
    (finished,) = of(JobFinished, listener)
    assert finished.result["stopped"]
    written = sorted((tmp_path / "out").glob("*.tif"))
    assert 1 <= finished.result["done"] <= len(written) < 500
    assert finished.result["done"] + finished.result["not_tried"] == 500
    with (tmp_path / "list.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(written)
    assert not list((tmp_path / "out").glob(".*"))


def test_two_images_for_one_output_are_refused_before_anything_is_computed(
    client, job, listener, tmp_path
):
    twice = SegmentListJob(job.images[:1] * 2, job.model, TORCH)
    failed = run(client, twice, listener)
    assert isinstance(failed, JobFailed)
    assert "Several images would be written to" in failed.message
    assert not (tmp_path / "out").exists()
