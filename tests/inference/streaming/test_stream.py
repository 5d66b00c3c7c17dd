"""Streaming computes what the whole network computes, and keeps no more than it needs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unet_napari.errors import ResourceError
from unet_napari.images import Image
from unet_napari.inference import InferenceConfig, predict_steps
from unet_napari.inference.planning import plan_tiles
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.streaming.graph import trace
from unet_napari.inference.streaming.operations import ROWS, NotStreamableError
from unet_napari.inference.streaming.row_buffer import RowBuffer
from unet_napari.inference.streaming.stream import Stream, choose_strip, find_room, rehearse_stream
from unet_napari.networks import fold_batch_norm

NETWORKS = [
    {},
    {"strides": [(1, 2), (4, 2)]},
    {"upsampling": "interpolate", "norm": "none", "activation": "gelu"},
    {"residual": True, "activation": "leaky_relu"},
    {"activation": "elu"},
    {"activation": "silu", "dropout": 0.2, "kernels": 5},
    {"reduction": [3, 2]},
    {"ndim": 3, "reduction": [1, 2, 2]},
    {"padding": "valid"},
    {"padding": "valid", "norm": "batch", "upsampling": "interpolate"},
    {"ndim": 3},
    {"ndim": 3, "strides": [(1, 2, 2), (2, 2, 2)], "kernels": [(1, 3, 3), 3, 3]},
    {"ndim": 3, "upsampling": "interpolate"},
    {"ndim": 3, "features": (3, 4), "padding": "valid"},
    {"name": "attention_unet"},
    {"name": "attention_unet", "ndim": 3},
    {"name": "nested_unet"},
    {"name": "nested_unet", "ndim": 3, "features": (3, 4, 5)},
    {"name": "fusion_unet"},
    {"name": "resnet_unet", "depth": 18, "features": (8, 8, 8, 8, 8)},
]


def streamed(network, image, strip):
    """Return the result of a stream, after checking that its rows come in order."""
    stream = Stream(trace(network, tuple(image.shape)), strip)
    parts = [torch.empty(0)]
    known = 0
    for start, rows in stream.run(image.split(strip, ROWS)):
        assert start == known
        known += rows.shape[ROWS]
        parts.append(rows.clone())
    return torch.cat(parts[1:], ROWS)


@pytest.mark.parametrize("options", NETWORKS, ids=str)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_streamed_is_whole(make_model, options, data):
    network = fold_batch_norm(make_model(**options).network)
    longest = 6 if network.ndim == 2 else 3
    shape = [
        least + data.draw(st.integers(0, longest)) * stride
        for least, stride in zip(network.smallest, network.stride, strict=True)
    ]
    strip = data.draw(st.integers(1, shape[0] + 1))
    image = torch.from_numpy(np.random.default_rng(0).random((1, 1, *shape), np.float32))
    with torch.inference_mode():
        expected = network(image)
    torch.testing.assert_close(streamed(network, image, strip), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("norm", ["group", "instance"])
def test_a_norm_over_the_image_cannot_be_streamed(make_model, norm):
    with pytest.raises(NotStreamableError):
        trace(make_model(norm=norm).network, (1, 1, 32, 32))


def test_memory_does_not_grow_with_the_number_of_rows(make_model):
    network = fold_batch_norm(make_model().network)
    peaks = [rehearse_stream(trace(network, (1, 1, n, 64)), 16) for n in (512, 4096, 10**6)]
    assert peaks[0] == peaks[1] == peaks[2]


def test_the_rehearsal_counts_the_largest_memory_of_the_whole_stream(make_model):
    """Neither the beginning nor the end of the image takes more."""
    network = fold_batch_norm(make_model().network)
    steps, sizes = trace(network, (1, 1, 512, 64)), []
    stream = Stream(steps, 16, images=0)
    for _ in stream.run(torch.empty(0, 1, 16, 64) for _ in range(32)):
        sizes.append(sum(math.prod(kept._rows.shape[1:]) * 4 for kept in stream._kept))
    assert sizes[-1] == max(sizes)
    assert sizes[-1] <= rehearse_stream(steps, 16) < 2 * sizes[-1]


def test_the_state_of_a_stream_is_no_copy(make_model):
    steps = trace(fold_batch_norm(make_model().network), (1, 1, 96, 32))
    stream = Stream(steps, 16)
    next(stream.run([torch.zeros(1, 1, 16, 32)]))
    state = stream.state()
    for number, kept in enumerate(stream._kept):
        rows = state[str(number)]
        assert rows.is_contiguous()
        memory = kept._rows.untyped_storage()
        assert rows.numel() == 0 or rows.untyped_storage().data_ptr() == memory.data_ptr()


def test_few_rows_are_moved_for_those_that_are_made(make_model, monkeypatch):
    """Moving the rows that a skip connection keeps, for each strip, would cost a twentieth."""
    moved, move = {}, RowBuffer._move_to_front

    def counted(self, kept, count):
        moved[self] = moved.get(self, 0) + kept
        move(self, kept, count)

    monkeypatch.setattr(RowBuffer, "_move_to_front", counted)
    steps = trace(fold_batch_norm(make_model(features=(4, 6, 8)).network), (1, 1, 1024, 8))
    stream = Stream(steps, 8, find_room(steps, 8), images=0)
    for _ in stream.run(torch.empty(0, 1, 8, 8) for _ in range(128)):
        pass
    assert sum(moved.values()) > 0
    for kept in stream._kept:
        assert moved.get(kept, 0) <= kept.stop


def test_strips_are_thinner_where_memory_is_short(make_model):
    steps = trace(fold_batch_norm(make_model().network), (1, 1, 4096, 64))
    strips = [choose_strip(steps, memory) for memory in (10_000, 10**6, 10**9)]
    assert 1 == strips[0] < strips[1] < strips[2] <= 4096 / 4
    assert [choose_strip(steps[:1], 1), choose_strip(steps[:1], 10**15)] == [1, 1024]


def predicted(model, image, memory):
    out = np.full((3, *image.shape), np.nan, np.float32)
    config = InferenceConfig(device="cpu", backend="torch", memory=memory)
    return out, list(predict_steps(image, model, out, config))


@pytest.mark.parametrize(
    ("options", "columns"),
    [({}, 60_000), ({"ndim": 3}, 300_000), ({"padding": "valid"}, 60_000)],
    ids=str,
)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_predictions_in_strips_and_columns_are_whole(make_model, whole, options, columns, data):
    model = make_model(**{"features": (4, 6), **options})
    longest = 150 if model.ndim == 2 else 40
    shape = tuple(data.draw(st.integers(1, longest)) for _ in range(model.ndim))
    pixels = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
    image = Image(pixels, "ZYX"[-model.ndim :])
    memory = data.draw(st.sampled_from([columns, 3 * columns, 10 * columns]))
    maps, _ = predicted(model, image, memory)
    np.testing.assert_allclose(maps, whole(model, image), atol=1e-5, rtol=0)


def test_a_large_image_is_streamed_and_a_larger_one_in_columns(make_model, monkeypatch):
    monkeypatch.setattr(plan_tiles, "_OPERATIONS_AT_ONCE", 1)
    model = make_model(features=(4, 6))
    image = Image(np.random.default_rng(0).integers(0, 99, (300, 200)).astype(np.uint8), "YX")
    _, wide = predicted(model, image, 10**9)
    assert "streamed" in wide[0].stage
    assert "columns" not in wide[0].stage
    _, narrow = predicted(model, image, 100_000)
    assert "columns" in narrow[0].stage
    done = [step.done for step in narrow]
    assert done == sorted(done)
    assert done[-1] == narrow[-1].total


def test_the_memory_that_is_planned_fits_the_budget(make_model, monkeypatch):
    monkeypatch.setattr(plan_tiles, "_OPERATIONS_AT_ONCE", 1)
    model = make_model()
    for budget in (2 * 10**6, 5 * 10**6, 10**8):
        config = InferenceConfig(device="cpu", backend="torch", memory=budget)
        chosen = make_plan(PreparedModel.of(model), (500, 700), config)
        assert chosen.strip is not None
        assert chosen.memory <= budget


def test_too_little_memory_is_said_before_the_run(make_model):
    image = Image(np.random.default_rng(0).integers(0, 99, (64, 64)).astype(np.uint8), "YX")
    with pytest.raises(ResourceError, match=r"needs .* MiB"):
        predicted(make_model(), image, 1000)


def test_openvino_asked_for_is_not_streamed(make_model, monkeypatch):
    monkeypatch.setattr(plan_tiles, "_OPERATIONS_AT_ONCE", 1)
    config = InferenceConfig(device="cpu", backend="openvino")
    assert make_plan(PreparedModel.of(make_model()), (100, 100), config).strip is None
