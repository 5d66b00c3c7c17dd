"""A list of images in one go: what becomes of each, and of all when it is stopped or fails."""

import copy
import csv
import errno
import os
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from unet_napari import doubtful_objects, segment
from unet_napari.errors import OutputError
from unet_napari.folder_run import run as run_module
from unet_napari.folder_run.image_line import ImageLine
from unet_napari.folder_run.run import FolderEnd, folder_steps
from unet_napari.folder_run.tables import FolderTables
from unet_napari.images import read_image
from unet_napari.images.result_record import read_record, write_record
from unet_napari.inference import Progress
from unet_napari.labels.label_axes import labels_on
from unet_napari.labels.measure import measure_objects

TORCH = {"backend": "torch", "device": "cpu"}


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_labels_and_lines_are_those_of_each_image_alone(
    pictures, listed, order, run_over, trained_model
):
    items = listed(pictures)
    lines, end = run_over(items, order)
    assert end == FolderEnd()
    assert [(line.number, line.name, line.state) for line in lines] == [
        (0, "a", "done"), (1, "b", "done"), (2, "c", "done")
    ]  # fmt: skip
    for line, item, path in zip(lines, items, pictures, strict=True):
        image = read_image(path)
        axes = image.axes
        expected = segment(image, trained_model, **TORCH)
        found = read_image(item.output)
        np.testing.assert_array_equal(found.data[:], expected)
        assert found.axes == axes
        doubtful = doubtful_objects(image, trained_model, **TORCH)
        assert line.objects == len(doubtful) == sum(frame.max() for frame in np.atleast_3d(
            expected.reshape(-1, *expected.shape[-2:])))  # fmt: skip
        assert line.worst == pytest.approx(doubtful[0].doubt, abs=1e-4)
        assert line.worst_at == doubtful[0].point
        assert line.doubt == pytest.approx(np.mean([item.doubt for item in doubtful]), abs=1e-4)
        assert line.thumbnail.shape[:2] == (np.ceil(image.shape[0] / 2), image.shape[1] // 2)
        assert line.seconds > 0
        assert line.familiarity is None  # this model was judged by no image


def test_one_table_has_a_row_for_each_object_and_another_one_for_each_image(
    pictures, listed, order, run_over, tmp_path
):
    items = listed(pictures)
    lines, _ = run_over(items, order, objects=tmp_path / "all.csv", listing=tmp_path / "list.csv")
    rows = rows_of(tmp_path / "all.csv")
    for item, path in zip(items, pictures, strict=True):
        image = read_image(path)
        table = measure_objects(labels_on(image, read_image(item.output).data[:]), image)
        own = [row for row in rows if row["image"] == item.name]
        assert len(own) == len(table["label"])
        for name, values in table.items():
            assert [float(row[name]) for row in own] == pytest.approx(values, rel=1e-12)
        if image.frames == 1:
            assert {row["t"] for row in own} == {""}
    listing = rows_of(tmp_path / "list.csv")
    assert [row["image"] for row in listing] == ["a", "b", "c"]
    assert [int(row["objects"]) for row in listing] == [line.objects for line in lines]
    assert [row["result"] for row in listing] == [str(item.output) for item in items]
    assert listing[2]["worst_at"] == " ".join(map(str, lines[2].worst_at))


def test_a_second_run_does_again_only_what_has_changed(pictures, listed, order, run_over, tmp_path):
    items = listed(pictures)
    first, _ = run_over(items, order, objects=tmp_path / "1.csv")
    times = [item.output.stat().st_mtime_ns for item in items]
    second, _ = run_over(items, order, objects=tmp_path / "2.csv")
    assert [line.state for line in second] == ["unchanged"] * 3
    assert [item.output.stat().st_mtime_ns for item in items] == times
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    for before, after in zip(first, second, strict=True):
        np.testing.assert_array_equal(after.thumbnail, before.thumbnail)
        facts = {"state": "done", "seconds": 0.0, "thumbnail": None}
        assert replace(after, **facts) == replace(before, **facts)
    pixels = tifffile.imread(pictures[1])
    tifffile.imwrite(pictures[1], pixels[::-1])
    third, _ = run_over(items, order)
    assert [line.state for line in third] == ["unchanged", "done", "unchanged"]
    other = replace(order, thresholds={"min_size": 30})
    assert [line.state for line in run_over(items, other)[0]] == ["done"] * 3
    slower = replace(other, config=replace(order.config, batch=1, memory=2**30))
    assert [line.state for line in run_over(items, slower)[0]] == ["unchanged"] * 3
    averaged = replace(other, config=replace(order.config, tta=True))
    assert [line.state for line in run_over(items[:1], averaged)[0]] == ["done"]
    network = copy.deepcopy(order.own.network)
    network.load_state_dict({k: v * 1.01 for k, v in network.state_dict().items()})
    retrained = replace(averaged, own=replace(order.own, network=network))
    assert [line.state for line in run_over(items[:1], retrained)[0]] == ["done"]


def test_labels_that_somebody_has_edited_or_made_are_never_replaced(
    pictures, listed, order, run_over
):
    items = listed(pictures)
    run_over(items, order)
    with tifffile.TiffFile(items[0].output, mode="r+") as tif:  # edited in place, record and all
        labels = tif.asarray()
        count = len(np.unique(labels)) - 1
        labels[labels == labels.max()] = 0
        tif.pages[0].parent.filehandle.seek(tif.pages[0].dataoffsets[0])
        tif.pages[0].parent.filehandle.write(labels.astype(tif.pages[0].dtype).tobytes())
    foreign = np.zeros((50, 128), np.uint8)
    foreign[3:9, 3:9] = 200
    tifffile.imwrite(items[1].output, foreign)
    for changed in (order, replace(order, thresholds={"min_size": 30})):
        lines, _ = run_over(items[:2], changed)
        assert [line.state for line in lines] == ["kept", "kept"]
        assert [line.objects for line in lines] == [count - 1, 1]
        assert "edited" in lines[0].message
        assert "no record" in lines[1].message
        assert [line.doubt for line in lines] == [None, None]
        np.testing.assert_array_equal(tifffile.imread(items[1].output), foreign)
    lines, _ = run_over(items[:2], replace(order, overwrite=True))
    assert [line.state for line in lines] == ["done", "done"]
    assert tifffile.imread(items[1].output).max() != 200


def test_what_fails_costs_its_own_line_only(pictures, listed, order, run_over, tmp_path):
    broken, wrong, gone = (tmp_path / "images" / f"{name}.tif" for name in ("d", "e", "f"))
    broken.write_bytes(b"II*\0 no image")
    tifffile.imwrite(wrong, np.zeros((3, 40, 40), np.uint8), metadata={"axes": "CYX"}, ome=True)
    items = listed([broken, pictures[0], wrong, gone, pictures[1]])
    lines, end = run_over(items, order, listing=tmp_path / "list.csv")
    assert end == FolderEnd()
    assert [line.state for line in lines] == ["failed", "done", "failed", "failed", "done"]
    assert "d.tif" in lines[0].message
    assert "3 channels" in lines[2].message
    assert "f.tif does not exist" in lines[3].message
    assert [row["state"] for row in rows_of(tmp_path / "list.csv")] == [
        line.state for line in lines
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.tif", "b.tif"]


def test_a_defect_of_ours_is_no_line(pictures, listed, order, run_over, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise KeyError("defect")

    monkeypatch.setattr("unet_napari.folder_run.finishing.measure_objects", fail)
    with pytest.raises(KeyError, match="defect"):
        run_over(listed(pictures), order)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_stop_keeps_what_is_whole_and_the_next_run_goes_on(
    pictures, listed, order, run_over, tmp_path
):
    items = listed(pictures)
    files = {"objects": tmp_path / "all.csv", "listing": tmp_path / "list.csv"}
    with closing(folder_steps(items, order, FolderTables(**files))) as steps:
        for event in steps:
            if not isinstance(event, ImageLine) and event.number == 1 and event.step.done:
                break
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.tif"]
    assert [row["image"] for row in rows_of(files["listing"])] == ["a"]
    assert {row["image"] for row in rows_of(files["objects"])} == {"a"}
    lines, _ = run_over(items, order, **files)
    assert [line.state for line in lines] == ["unchanged", "done", "done"]
    assert {row["image"] for row in rows_of(files["objects"])} == {"a", "b", "c"}


def test_a_stop_does_not_wait_for_an_image_that_takes_long_to_finish(
    pictures, listed, order, monkeypatch, tmp_path
):
    def slow(*_, **__):
        for _ in range(2000):
            time.sleep(0.01)
            yield Progress(0, 1, "")

    monkeypatch.setattr("unet_napari.inference.doubt.found_facts.doubt_summary_steps", slow)
    monkeypatch.setattr(run_module, "_GRACE", 0.0)
    steps = folder_steps(listed(pictures), order, FolderTables())
    for event in steps:
        if event.number == 1:
            break
    started = time.perf_counter()
    steps.close()
    assert time.perf_counter() - started < 10  # of the 20 s that it would take
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_ends_the_list_with_one_message(
    pictures, listed, order, run_over, tmp_path, monkeypatch
):
    opened = run_module.open_output

    def full(path, **options):
        if path.name == "b.tif":
            error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error
        return opened(path, **options)

    monkeypatch.setattr(run_module, "open_output", full)
    lines, end = run_over(listed(pictures), order, listing=tmp_path / "list.csv")
    assert [(line.name, line.state) for line in lines] == [("a", "done"), ("b", "failed")]
    assert end.not_tried == 1
    assert "b.tif cannot be written: No space left" in end.reason
    assert [row["image"] for row in rows_of(tmp_path / "list.csv")] == ["a", "b"]


def test_a_large_image_is_finished_before_the_next_one_begins(
    pictures, listed, order, run_over, monkeypatch
):
    monkeypatch.setattr(run_module, "_FINISHED_BESIDE", 0)
    monkeypatch.setattr("unet_napari.folder_run.order._READ_AHEAD", 0)
    steps = folder_steps(listed(pictures), order, FolderTables())
    seen = [(event.number, isinstance(event, ImageLine)) for event in steps]
    assert seen == sorted(seen)
    assert [number for number, is_line in seen if is_line] == [0, 1, 2]


def test_the_progress_is_that_of_all_images(pictures, listed, order):
    events = list(folder_steps(listed(pictures), order, FolderTables()))
    steps = [event.overall() for event in events if not isinstance(event, ImageLine)]
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert {step.total for step in steps} == {3000}
    assert steps[0].stage.startswith("a (1 of 3): ")
    assert 2000 < steps[-1].done < 3000
    assert steps[0].seconds_left is None
    assert steps[-1].seconds_left >= 0


def test_the_record_tells_what_was_found(pictures, listed, order, run_over):
    items = listed(pictures[:1])
    (line,), _ = run_over(items, order)
    found = read_record(items[0].output).found
    assert found["objects"] == line.objects
    assert found["doubt"] == line.doubt
    assert tuple(found["worst_at"]) == line.worst_at
    assert len(found["labels"]) == 64


def test_a_result_of_a_dock_is_segmented_again_where_doubt_is_asked_for(
    pictures, listed, order, run_over
):
    items = listed(pictures[:1])
    run_over(items, order)
    record = read_record(items[0].output)
    found = {"labels": record.found["labels"], "objects": 3, "doubted": False}
    write_record(items[0].output, replace(record, found=found))
    (line,), _ = run_over(items, replace(order, doubted=False))
    assert (line.state, line.objects, line.doubt) == ("unchanged", 3, None)
    (line,), _ = run_over(items, order)
    assert (line.state, line.doubt) == ("done", record.found["doubt"])
