"""Test-time augmentation averages what the network says of flips and turns, whatever the way."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unet_napari.geometry import Box
from unet_napari.images import Image
from unet_napari.inference import InferenceConfig, predict_steps
from unet_napari.inference.backends.table import BACKEND_ENTRIES
from unet_napari.inference.orientations import may_turn, variants_of
from unet_napari.inference.planning import plan_tiles
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.running.reading import read_continued

ON_CPU = {"device": "cpu", "backend": "torch", "precision": "fp32"}
SLOW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def predicted(image, model, **config):
    out = np.full((model.task.out_channels, *image.shape), np.nan, np.float32)
    steps = list(predict_steps(image, model, out, InferenceConfig(**{**ON_CPU, **config})))
    assert steps[-1].done == steps[-1].total
    done = [step.done for step in steps]
    assert done == sorted(set(done))
    return out, steps[0].plan


def random_image(shape):
    pixels = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
    return Image(pixels, "ZYX"[-len(shape) :])


def reference(model, image):
    """Return the mean over the variants of the whole image, by torch's own flips."""
    grid = PreparedModel.of(model).uncut_grid
    shape = grid.input_shape(image.shape)
    start = tuple(-margin for margin in grid.margin)
    pixels = read_continued(image, Box.whole(shape).shift(start), grid.margin)
    statistics = model.normalisation.measure(image)
    batch = torch.from_numpy(model.normalisation.apply(pixels, statistics))[None]
    results = []
    for variant in variants_of(model):
        seen = batch.transpose(-1, -2) if variant.turned else batch
        with torch.inference_mode():
            maps = model.task.activate(model.network(seen.flip(variant.flipped)))
        maps = maps.flip(variant.flipped)
        results.append(maps.transpose(-1, -2) if variant.turned else maps)
    cut = tuple(slice(0, size) for size in image.shape)
    return torch.stack(results).mean(0)[0].numpy()[:, *cut]


def test_the_variants_are_all_flips_and_turns_in_the_plane(make_model):
    flat = np.arange(6).reshape(2, 3)
    seen = {variant.view(flat).tobytes() for variant in variants_of(make_model())}
    turns = [np.rot90(flat, k) for k in range(4)]
    assert seen == {a.tobytes() for turn in turns for a in (turn, turn[:, ::-1])}
    deep = np.arange(24).reshape(2, 3, 4)
    seen = {variant.view(deep).tobytes() for variant in variants_of(make_model(ndim=3))}
    assert len(seen) == 16
    assert {np.flip(deep, 0).tobytes(), np.rot90(deep, 1, (1, 2)).tobytes()} <= seen


def test_axes_that_differ_are_never_exchanged(make_model):
    assert may_turn(make_model())
    assert may_turn(make_model(ndim=3, strides=[(1, 2, 2), (2, 2, 2)]))
    assert not may_turn(make_model(strides=[(1, 2), (4, 2)]))
    model = make_model()
    model.pixel_size = {"Y": 0.5, "X": 0.25}
    assert not may_turn(model)
    assert not any(variant.turned for variant in variants_of(model))
    model.pixel_size = {"Y": 0.25, "X": 0.25}
    assert may_turn(model)


def symmetric(model):
    """Return a model whose network turns with the image: all its kernels are symmetric."""
    model = replace(model, network=copy.deepcopy(model.network))
    with torch.no_grad():
        for module in model.network.modules():
            weight = getattr(module, "weight", None)
            if weight is not None and weight.ndim == model.ndim + 2:
                views = [variant.view(weight.numpy()) for variant in variants_of(model)]
                weight.copy_(torch.from_numpy(np.mean(views, axis=0)))
    return model


@pytest.mark.parametrize("options", [{}, {"ndim": 3}, {"name": "attention_unet"}], ids=str)
def test_an_equivariant_network_says_the_same_without(make_model, options):
    model = symmetric(make_model(**{"features": (4, 6), **options}))
    image = random_image((40, 24) if model.ndim == 2 else (8, 16, 12))
    with_tta, summary = predicted(image, model, tta=True)
    np.testing.assert_allclose(with_tta, predicted(image, model)[0], atol=1e-5, rtol=0)
    assert summary.variants == 8 * (model.ndim - 1)


NETWORKS = [
    {},
    {"strides": [(1, 2)]},
    {"padding": "valid"},
    {"ndim": 3, "features": (3, 4), "strides": [(1, 2, 2)]},
    {"ndim": 3, "features": (3, 4)},
]


@pytest.mark.parametrize("options", NETWORKS, ids=str)
@SLOW
@given(data=st.data())
def test_tiled_and_streamed_are_whole(make_model, options, data):
    model = make_model(**{"features": (4, 6), **options})
    longest = 90 if model.ndim == 2 else 20
    image = random_image(tuple(data.draw(st.integers(1, longest)) for _ in range(model.ndim)))
    expected = reference(model, image)
    at_once, _ = predicted(image, model, tta=True)
    np.testing.assert_allclose(at_once, expected, atol=1e-5, rtol=0)
    tile = tuple(data.draw(st.integers(1, longest)) for _ in range(model.ndim))
    tiled, _ = predicted(image, model, tta=True, tile=tile, batch=data.draw(st.integers(1, 3)))
    np.testing.assert_allclose(tiled, expected, atol=1e-5, rtol=0)
    memory = data.draw(st.sampled_from([600_000, 10**6, 10**8]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_tiles, "_OPERATIONS_AT_ONCE", 1)
        streamed, summary = predicted(image, model, tta=True, memory=memory)
    assert summary.strip is not None or memory == 600_000
    np.testing.assert_allclose(streamed, expected, atol=1e-5, rtol=0)


def test_memory_does_not_grow_with_the_image(make_model, monkeypatch):
    """The mean of the variants is held for one tile at a time."""
    monkeypatch.setattr(plan_tiles, "_OPERATIONS_AT_ONCE", 1)
    model, budget = make_model(features=(4, 6)), 2 * 10**6
    config = InferenceConfig(**ON_CPU, tta=True, memory=budget)
    for rows in (200, 2000, 20_000):
        chosen = make_plan(PreparedModel.of(model), (rows, 150), config)
        assert chosen.strip is not None
        assert chosen.memory <= budget


@pytest.mark.skipif(not BACKEND_ENTRIES["openvino"].installed, reason="needs openvino")
def test_openvino_averages_the_same(make_model):
    model, image = make_model(), random_image((40, 56))
    expected, _ = predicted(image, model, tta=True)
    maps, summary = predicted(image, model, tta=True, backend="openvino")
    assert summary.backend == "openvino"
    np.testing.assert_allclose(maps, expected, atol=1e-4, rtol=0)
