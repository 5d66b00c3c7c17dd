"""The plan says what will be done before it is done, and why."""

import re
from dataclasses import replace

import numpy as np
import pytest

from unet_napari.engine.protocol import decode, encode
from unet_napari.geometry import Box
from unet_napari.images import Image
from unet_napari.inference import InferenceConfig, Progress, predict_steps
from unet_napari.inference.planning import plan_stream, plan_tiles, planner
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.progress import with_time_left
from unet_napari.inference.running import predictor
from unet_napari.inference.running.reading import chunk_slabs

CPU = {"device": "cpu", "backend": "torch"}


def image_of(shape):
    pixels = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
    return Image(pixels, "ZYX"[-len(shape) :])


@pytest.mark.parametrize(
    ("settings", "way", "words"),
    [
        ({}, "one tile", "the whole image at once.*takes a moment"),
        ({"tile": (64, 64)}, "tiles", "tiles of .*pixels of its neighbours.*asked for"),
        ({"tile": (64, 64), "batch": 3}, "tiles", "3 at a time"),
        ({"tta": True}, "one tile", "8 flips and turns"),
    ],
    ids=str,
)
def test_the_plan_comes_first_and_in_words(make_model, settings, way, words):
    image, out = image_of((150, 120)), np.full((3, 150, 120), np.nan, np.float32)
    steps = predict_steps(image, make_model(), out, InferenceConfig(**CPU, **settings))
    first = next(steps)
    assert first.done == 0
    assert np.isnan(out).all()  # nothing has been computed
    assert first.plan.way == way
    text = first.plan.describe()
    assert re.search(words, text, re.DOTALL)
    assert "Memory: about" in text
    assert all(step.plan is None for step in steps)


def test_streams_say_that_nothing_is_computed_twice(make_model, monkeypatch):
    monkeypatch.setattr(plan_tiles, "_OPERATIONS_AT_ONCE", 1)
    model = make_model(features=(4, 6))
    wide = make_plan(PreparedModel.of(model), (300, 200), InferenceConfig(**CPU)).summary()
    assert (wide.way, wide.tiles, wide.halo) == ("streamed", 1, (0, 0))
    assert "nothing is computed twice" in wide.describe()
    narrow = make_plan(
        PreparedModel.of(model), (300, 200), InferenceConfig(**CPU, memory=100_000)
    ).summary()
    assert narrow.way == "columns"
    assert narrow.tiles > 1
    assert min(narrow.halo) > 0


def test_torch_streams_what_could_be_one_tile(make_model, monkeypatch):
    """Others do not: a norm over the image would have seams, OpenVINO is quick with a tile."""
    monkeypatch.setattr(planner, "_WORTH_STREAMING", 1)
    settings = InferenceConfig(**CPU)
    assert make_plan(PreparedModel.of(make_model()), (100, 100), settings).way == "streamed"
    assert (
        make_plan(PreparedModel.of(make_model(norm="group")), (100, 100), settings).way
        == "one tile"
    )
    openvino = InferenceConfig(device="cpu", backend="openvino")
    assert make_plan(PreparedModel.of(make_model()), (100, 100), openvino).way == "one tile"


def test_time_is_predicted_where_it_is_long(make_model, monkeypatch):
    image, out = image_of((150, 120)), np.zeros((3, 150, 120), np.float32)
    short = next(predict_steps(image, make_model(), out, InferenceConfig(**CPU))).plan
    assert short.seconds is None
    monkeypatch.setattr(predictor, "_WORTH_TIMING", 1)
    settings = InferenceConfig(**CPU, tile=(80, 80))
    long = next(predict_steps(image, make_model(), out, settings)).plan
    assert long.seconds > 0
    assert "Time: about" in long.describe()
    assert "Time: about 3 min" in replace(long, seconds=180.0).describe()


def test_the_time_left_is_the_plans_then_that_of_the_speed_so_far(make_model, monkeypatch):
    clock = iter([0.0, 0.0, 5.0, 11.0, 45.0])  # the plan is there at 5
    monkeypatch.setattr("unet_napari.inference.progress.time.perf_counter", lambda: next(clock))
    prepared = PreparedModel.of(make_model())
    summary = make_plan(prepared, (20, 20), InferenceConfig(**CPU)).summary(60.0)
    steps = [Progress(0, 100, "", plan=summary), Progress(1, 100, ""), Progress(50, 100, "")]
    left = [step.seconds_left for step in with_time_left(iter(steps))]
    assert left == [60.0, 54.0, 40.0]  # 1 % of the work says nothing yet about the speed


def test_the_plan_travels_from_the_engine(make_model):
    prepared = PreparedModel.of(make_model())
    summary = make_plan(prepared, (20, 20), InferenceConfig(**CPU)).summary(7.0)
    sent = Progress(0, 4, "predicting", plan=summary, seconds_left=7.0)
    assert decode(encode(sent)) == sent


class _Chunked:
    """An array in chunks that counts how often each is read."""

    dtype = np.dtype(np.uint16)

    def __init__(self, shape, chunks):
        self.shape, self.chunks, self.ndim = shape, chunks, len(shape)
        self._pixels = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
        self.reads = np.zeros([-(-n // c) for n, c in zip(shape, chunks, strict=True)], int)

    def __getitem__(self, key):
        touched = tuple(
            slice(k.start // c, -(-k.stop // c)) for k, c in zip(key, self.chunks, strict=True)
        )
        self.reads[touched] += 1
        return self._pixels[key]


@pytest.mark.parametrize("rows", [5, 16, 40])
def test_a_stream_reads_each_chunk_once(make_model, monkeypatch, rows):
    monkeypatch.setattr(plan_tiles, "_OPERATIONS_AT_ONCE", 1)
    monkeypatch.setattr(plan_stream, "choose_strip", lambda *_: rows)
    model, data = make_model(features=(4, 6)), _Chunked((100, 60), (16, 20))
    image, out = Image(data, "YX"), np.zeros((3, 100, 60), np.float32)
    model.normalisation.measure(image)
    data.reads[:] = 0
    statistics_reads = 1  # the image is small enough to be measured whole
    for _ in predict_steps(image, model, out, InferenceConfig(**CPU)):
        pass
    np.testing.assert_array_equal(data.reads, 1 + statistics_reads)


def test_slabs_cover_a_box_once_and_end_with_chunks():
    image = Image(_Chunked((100, 60), (16, 20)), "YX")
    box = Box((-3, 0), (104, 60))
    found = [(slab.start[0], slab.stop[0]) for slab in chunk_slabs(image, box, 5, 10**9)]
    assert found == [(-3, 0), *((a, a + 16) for a in range(0, 96, 16)), (96, 104)]
    short = [(slab.start[0], slab.stop[0]) for slab in chunk_slabs(image, box, 5, 100)]
    assert max(stop - start for start, stop in short) == 5
