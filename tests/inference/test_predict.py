"""Tiles leave no trace: the prediction is that of the whole image at once."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unet_napari.errors import ImageError, ResourceError, SettingsError, UnetNapariWarning
from unet_napari.images import Image
from unet_napari.inference import InferenceConfig, predict_steps
from unet_napari.inference.backends.torch_backend import TorchBackend
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.prepared import PreparedModel

ON_CPU = {"device": "cpu", "backend": "torch", "precision": "fp32"}


def predicted(image, model, **config):
    shape = (image.frames, *image.shape) if image.frames > 1 else image.shape
    out = np.full((model.task.out_channels, *shape), np.nan, np.float32)
    steps = list(predict_steps(image, model, out, InferenceConfig(**{**ON_CPU, **config})))
    return out, steps


def random_image(shape, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 4000, shape).astype(np.uint16)
    return Image(pixels, "ZYX"[-len(shape) :])


NETWORKS = {
    "2d": {},
    "2d, uneven strides": {"strides": [(1, 2), (4, 2)]},
    "2d, interpolated, no norm": {"upsampling": "interpolate", "norm": "none"},
    "2d, residual": {"residual": True, "activation": "leaky_relu"},
    "2d, valid": {"padding": "valid"},
    "2d, valid, batch norm, interpolated": {
        "padding": "valid",
        "norm": "batch",
        "upsampling": "interpolate",
    },
    "3d": {"ndim": 3, "features": (4, 6)},
    "3d, anisotropic": {
        "ndim": 3,
        "strides": [(1, 2, 2), (2, 2, 2)],
        "kernels": [(1, 3, 3), 3, 3],
    },
    "3d, valid": {"ndim": 3, "features": (4, 6), "padding": "valid"},
    "attention": {"name": "attention"},
    "nested": {"name": "nested"},
    "resnet": {"name": "resnet", "depth": 18, "features": (4, 4, 4, 4, 4)},
}


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_tiled_is_whole(make_model, whole, network, data):
    options = dict(NETWORKS[network])
    name = f"{options.pop('name', '')}_unet".removeprefix("_")
    model = make_model(name, **options)
    longest = 150 if model.ndim == 2 else 36
    shape = tuple(data.draw(st.integers(1, longest)) for _ in range(model.ndim))
    tile = tuple(data.draw(st.integers(1, longest)) for _ in range(model.ndim))
    image = random_image(shape)
    tiled, _ = predicted(image, model, tile=tile)
    np.testing.assert_allclose(tiled, whole(model, image), atol=1e-5, rtol=0)


class _Counted:
    """An array of float32 that counts how often each pixel is written."""

    def __init__(self, shape):
        self.values, self.times = np.full(shape, np.nan, np.float32), np.zeros(shape, int)
        self.shape = shape

    def __setitem__(self, key, values):
        self.values[key] = values
        self.times[key] += 1


@pytest.mark.parametrize("network", ["2d", "2d, valid", "3d"])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_tiles_in_batches_are_whole_and_every_pixel_is_written_once(
    make_model, whole, network, data
):
    model = make_model(**NETWORKS[network])
    longest = 150 if model.ndim == 2 else 36
    image = random_image(tuple(data.draw(st.integers(1, longest)) for _ in range(model.ndim)))
    tile = tuple(data.draw(st.integers(1, longest // 2)) for _ in range(model.ndim))
    out = _Counted((3, *image.shape))
    config = InferenceConfig(**ON_CPU, tile=tile, batch=data.draw(st.integers(2, 5)))
    first, *_, last = predict_steps(image, model, out, config)
    assert first.plan.batch == min(config.batch, first.plan.tiles)
    assert last.done == last.total
    np.testing.assert_array_equal(out.times, 1)
    np.testing.assert_allclose(out.values, whole(model, image), atol=1e-5, rtol=0)


def test_several_tiles_at_a_time_only_where_it_pays_and_fits(make_model):
    model, tile = make_model(), (80, 80)
    prepared = PreparedModel.of(model)
    one = make_plan(prepared, (400, 400), InferenceConfig(**ON_CPU, tile=tile))
    assert one.batch == 1  # on a CPU it does not pay
    four = make_plan(
        PreparedModel.of(model), (400, 400), InferenceConfig(**ON_CPU, tile=tile, batch=4)
    )
    assert four.batch == 4
    assert 3 * one.memory < four.memory < 5 * one.memory
    little = InferenceConfig(**ON_CPU, tile=tile, batch=4, memory=2 * one.memory)
    assert make_plan(prepared, (400, 400), little).batch == 2


def test_tiles_are_really_cut(make_model):
    _, steps = predicted(random_image((200, 150)), make_model(), tile=(80, 80))
    done = [step.done for step in steps]
    assert len(done) > 4
    assert done == sorted(set(done))
    assert done[-1] == steps[-1].total


def test_too_small_a_halo_shows(make_model, whole):
    """The exact halo is not an accident: with none, tiles differ from the whole."""
    model, image = make_model(), random_image((96, 96))
    tiled, _ = predicted(image, model, tile=(48, 48), halo=0)
    assert np.abs(tiled - whole(model, image)).max() > 1e-3


def test_the_measured_halo_of_the_model_is_used(make_model):
    model, image = make_model(), random_image((96, 96))
    model.halo = (4, 8)
    _, steps = predicted(image, model, tile=(48, 48), halo="measured")
    assert steps[0].plan.halo == (4, 8)


def test_statistics_are_those_of_the_image_not_of_a_tile(make_model, whole):
    pixels = np.random.default_rng(0).normal(100, 10, (128, 128))
    pixels[:64] *= 20
    image, model = Image(pixels, "YX"), make_model()
    tiled, _ = predicted(image, model, tile=(72, 72))
    np.testing.assert_allclose(tiled, whole(model, image), atol=1e-5, rtol=0)


def test_norms_over_the_tile_warn_of_seams_only_when_there_are_some(make_model, whole):
    model, image = make_model(norm="group"), random_image((64, 64))
    one, _ = predicted(image, model)
    np.testing.assert_allclose(one, whole(model, image), atol=1e-4, rtol=0)
    with pytest.warns(UnetNapariWarning, match="seams"):
        predicted(image, model, tile=(40, 40))


def test_little_memory_makes_smaller_tiles_with_the_same_result(make_model, whole):
    model, image = make_model(), random_image((160, 160))
    large, few = predicted(image, model)
    small, many = predicted(image, model, memory=2_000_000)
    assert len(many) > len(few)
    np.testing.assert_allclose(small, large, atol=1e-5, rtol=0)


def test_time_is_looped_with_one_brightness_scale(make_model, whole):
    pixels = np.random.default_rng(0).integers(0, 4000, (3, 40, 30)).astype(np.uint16)
    model, series = make_model(), Image(pixels, "TYX")
    maps, steps = predicted(series, model)
    assert [step.done for step in steps] == [0, 80, 160, 240]
    assert steps[-1].done == steps[-1].total
    statistics = model.normalisation.measure(series)
    batch = torch.from_numpy(model.normalisation.apply(pixels[None, 2], statistics))[None]
    with torch.inference_mode():
        expected = model.task.activate(model.network(batch))[0].numpy()
    np.testing.assert_allclose(maps[:, 2], expected, atol=1e-5, rtol=0)


class _Failing:
    """A backend that runs out of memory for the first calls."""

    def __init__(self, monkeypatch, error, times):
        self.left, self.shapes = times, []
        logits = TorchBackend.logits

        def fail(backend, batch):
            self.shapes.append(batch.shape)
            if self.left > 0:
                self.left -= 1
                raise error
            return logits(backend, batch)

        monkeypatch.setattr(TorchBackend, "logits", fail)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    ],
)
def test_out_of_memory_makes_smaller_tiles(make_model, whole, monkeypatch, error):
    model, image = make_model(), random_image((200, 200))
    failing = _Failing(monkeypatch, error, times=2)
    maps, _ = predicted(image, model)
    first, second, third, *_ = (np.prod(shape) for shape in failing.shapes)
    assert first > second > third
    np.testing.assert_allclose(maps, whole(model, image), atol=1e-5, rtol=0)


def test_out_of_memory_first_takes_fewer_tiles_at_a_time(make_model, whole, monkeypatch):
    model, image = make_model(), random_image((200, 200))
    failing = _Failing(monkeypatch, MemoryError(), times=3)
    maps, steps = predicted(image, model, tile=(80, 80), batch=4)
    batches = [shape[0] for shape in failing.shapes[:4]]
    assert batches == [4, 2, 1, 1]
    sizes = [np.prod(shape[2:]) for shape in failing.shapes[:4]]
    assert sizes[0] == sizes[1] == sizes[2] > sizes[3]
    told = [step.plan for step in steps if step.plan is not None]
    assert [plan.reason for plan in told] == ["this size was asked for", "memory ran out"]
    np.testing.assert_allclose(maps, whole(model, image), atol=1e-5, rtol=0)


def test_another_error_is_not_taken_for_memory(make_model, monkeypatch):
    _Failing(monkeypatch, RuntimeError("shapes cannot be multiplied"), times=1)
    with pytest.raises(RuntimeError, match="multiplied"):
        predicted(random_image((50, 50)), make_model())


def test_memory_that_never_suffices_ends_in_a_message(make_model, monkeypatch):
    _Failing(monkeypatch, MemoryError(), times=10_000)
    with pytest.raises(ResourceError, match="memory"):
        predicted(random_image((200, 200)), make_model())


def test_the_network_of_the_model_is_left_as_it_is(make_model):
    model = make_model()
    model.network.train()
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    predicted(random_image((40, 40)), model)
    assert model.network.training
    after = model.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_stopping_writes_no_more(make_model):
    model, image = make_model(), random_image((200, 150))
    out = np.full((3, 200, 150), np.nan, np.float32)
    steps = predict_steps(image, model, out, InferenceConfig(**ON_CPU, tile=(80, 80)))
    next(steps)
    steps.close()
    assert np.isnan(out).any()


def test_a_missing_device_is_replaced_with_a_warning(make_model, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model, image = make_model(), random_image((20, 20))
    with pytest.warns(UnetNapariWarning, match="cuda"):
        maps, _ = predicted(image, model, device="cuda")
    np.testing.assert_array_equal(maps, predicted(image, model)[0])


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((2, 30, 30), "CYX", "2 channels.*1 channel"),
    ],
)
def test_an_image_that_does_not_suit_is_refused(make_model, shape, axes, message):
    with pytest.raises(ImageError, match=message):
        predicted(Image(np.ones(shape), axes), make_model())


def test_a_3d_model_refuses_a_2d_image(make_model):
    with pytest.raises(ImageError, match=r"is 2D.*is 3D"):
        predicted(random_image((30, 30)), make_model(ndim=3))


def test_nan_alone_is_refused(make_model):
    with pytest.raises(ImageError, match="NaN"):
        predicted(Image(np.full((30, 30), np.nan), "YX"), make_model())


def test_a_tile_of_the_wrong_dimension_is_refused(make_model):
    with pytest.raises(SettingsError, match="tile"):
        predicted(random_image((30, 30)), make_model(), tile=(8, 8, 8))


def test_a_different_pixel_size_is_told(make_model):
    model = make_model()
    model.pixel_size = {"Y": 0.25, "X": 0.25}
    image = Image(np.random.default_rng(0).random((20, 20)), "YX", {"Y": 0.5, "X": 0.5})
    with pytest.warns(UnetNapariWarning, match="2 times as large"):
        predicted(image, model)
