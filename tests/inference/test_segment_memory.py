"""Segmentations that are short of memory or disk, and how their results are written."""

import numpy as np
import pytest

from bright_objects import ON_CPU, Brightness, segmented, squares
from unet_napari.errors import ResourceError, SettingsError
from unet_napari.images import Image, open_output, read_image
from unet_napari.images.write import BoxWriter
from unet_napari.inference import InferenceConfig, predict_steps, segment_steps
from unet_napari.inference.storage import scratch
from unet_napari.tasks import CellsTask
from unet_napari.tasks.decoding.blocks import Blocks


def test_maps_beyond_the_memory_lie_on_disk(bright, monkeypatch):
    made = []
    disk_array = scratch.DiskArray
    monkeypatch.setattr(scratch, "DiskArray", lambda *a: made.append(1) or disk_array(*a))
    image = Image(squares((4, 4), (24, 24)), "YX")
    expected = segmented(image, bright())
    assert not made
    np.testing.assert_array_equal(segmented(image, bright(), memory=10_000), expected)
    assert made


def test_too_little_disk_is_said_before_the_run(bright, monkeypatch):
    free = type("Usage", (), {"free": 100})
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda _: free)
    with pytest.raises(ResourceError, match="disk"):
        segmented(Image(squares((4, 4)), "YX"), bright(), memory=10_000)


def test_decoding_goes_on_with_smaller_blocks_where_memory_runs_out(bright, monkeypatch):
    tried = []
    decode_steps = CellsTask.decode_steps

    def fail_at_first(task, packed, scratch, out, blocks, first_id):
        tried.append(blocks.voxels)
        if len(tried) < 3:
            raise MemoryError
        yield from decode_steps(task, packed, scratch, out, blocks, first_id)

    monkeypatch.setattr(CellsTask, "decode_steps", fail_at_first)
    labels = segmented(Image(squares((4, 4), (24, 24)), "YX"), bright())
    assert labels.max() == 2
    assert tried == [2**22, 2**20, 2**18]


def test_running_out_of_memory_in_decoding_is_said(bright, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr(CellsTask, "decode_steps", fail)
    with pytest.raises(ResourceError, match="objects"):
        segmented(Image(squares((4, 4)), "YX"), bright())


def test_another_error_in_decoding_is_not_taken_for_memory(bright, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("something else")

    monkeypatch.setattr(CellsTask, "decode_steps", fail)
    with pytest.raises(RuntimeError, match="something else"):
        segmented(Image(squares((4, 4)), "YX"), bright())


def test_finding_objects_is_said_before_it_begins(bright, monkeypatch):
    said, decode = [], CellsTask.decode_steps

    def noted(*arguments):
        said.append(last["stage"])
        return decode(*arguments)

    monkeypatch.setattr(CellsTask, "decode_steps", noted)
    last, out = {}, np.zeros((40, 40), np.uint32)
    for step in segment_steps(
        Image(squares((4, 4)), "YX"), bright(), out, InferenceConfig(**ON_CPU)
    ):
        last["stage"] = step.stage
    assert said == ["finding objects"]


def test_each_chunk_of_a_zarr_is_written_once(bright, tmp_path, monkeypatch):
    written = []
    write = BoxWriter.__setitem__
    monkeypatch.setattr(BoxWriter, "__setitem__", lambda *a: written.append(a[1]) or write(*a))
    monkeypatch.setattr("unet_napari.inference.segmentation.blocks_for", lambda _: Blocks(2**20))
    pixels = squares((4, 4), (1020, 1020), (900, 1500), shape=(1030, 2060))
    path = tmp_path / "labels.zarr"
    options = {"shape": pixels.shape, "dtype": "uint32", "axes": "YX", "pixel_size": {}}
    with open_output(path, **options) as out:
        assert out.chunks == (1024, 1024)
        for _ in segment_steps(Image(pixels, "YX"), bright(), out, InferenceConfig(**ON_CPU)):
            pass
    assert all(side.start % 1024 == 0 for box in written for side in box)
    assert len(written) == len({(y.start, x.start) for y, x in written}) == 6
    np.testing.assert_array_equal(read_image(path).read()[0] > 0, pixels > 0)


def test_provisional_labels_fill_the_result_and_every_step_says_where(bright):
    pixels = squares((4, 4), (4, 24), (24, 10))
    out = np.zeros((40, 40), np.uint32)
    config = InferenceConfig(**ON_CPU, tile=(16, 40))
    seen = np.zeros(out.shape, bool)
    for step in segment_steps(Image(pixels, "YX"), bright(), out, config, provisional=True):
        if step.region is None:
            continue
        region = tuple(slice(*pair) for pair in step.region)
        if step.stage.startswith("predicting"):
            np.testing.assert_array_equal(out[region], pixels[region] > 0)
            seen[region] = True
    assert seen.all()
    assert out.max() == 3


def test_the_maps_come_from_the_same_run_of_the_network(bright, monkeypatch):
    series = np.stack([squares((4, 4)), squares((4, 4), (24, 24))])
    image, model = Image(series, "TYX"), bright()
    expected = np.zeros((3, *series.shape), np.float32)
    for _ in predict_steps(image, model, expected, InferenceConfig(**ON_CPU)):
        pass
    calls, logits = [], Brightness.logits
    monkeypatch.setattr(Brightness, "logits", lambda *args: calls.append(1) or logits(*args))
    segmented(image, model)
    alone = len(calls)
    maps, out = np.full_like(expected, np.nan), np.zeros(series.shape, np.uint32)
    for _ in segment_steps(image, model, out, InferenceConfig(**ON_CPU), maps=maps):
        pass
    assert len(calls) == 2 * alone
    np.testing.assert_array_equal(maps, expected)
    with pytest.raises(SettingsError, match="own scale"):
        segment_steps(image, model, out, InferenceConfig(**ON_CPU, rescale=True), maps=maps)
