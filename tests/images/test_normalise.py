"""One brightness scale per image, whatever its dtype, noise and accidents."""

import warnings

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet_napari.errors import ImageError, UnetNapariWarning
from unet_napari.images import Image, Normalisation, Statistics, as_image, nuclei
from unet_napari.images import pixel_sample as sampling

RULE = Normalisation()


def normalised(array, axes="YX", rule=RULE):
    image = as_image(array, axes=axes)
    return rule.apply(image.read(), rule.measure(image))


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    return nuclei((160, 170), count=12, seed=3)[0]


def test_percentiles_become_0_and_1():
    ramp = np.linspace(50, 250, 10001).reshape(73, 137)
    statistics = RULE.measure(as_image(ramp))
    assert statistics.low == pytest.approx((52,))
    assert statistics.high == pytest.approx((249.6,))
    values = RULE.apply(ramp[None], statistics)
    np.testing.assert_allclose(values[0], (ramp - 52) / 197.6, atol=1e-6)
    assert values.dtype == np.float32


def test_each_channel_has_its_own_scale(cells):
    both = np.stack([cells, 7 * cells.astype(int) + 1000])
    values = normalised(both, "CYX")
    np.testing.assert_allclose(values[0], values[1], atol=1e-6)


@pytest.mark.parametrize("dtype", ["i2", "u4", ">u2", "i8", "u8", "f4", ">f8", "g"])
def test_the_dtype_does_not_matter(cells, dtype):
    np.testing.assert_array_equal(normalised(cells.astype(dtype)), normalised(cells))


@pytest.mark.parametrize("dtype", ["u1", "i1", "f2"])
def test_small_dtypes_hold_small_values(cells, dtype):
    small = cells // 64
    np.testing.assert_array_equal(normalised(small.astype(dtype)), normalised(small))


def test_negative_values_are_values(cells):
    shifted = normalised(cells.astype(int) - 5000)
    np.testing.assert_allclose(shifted, normalised(cells), atol=1e-6)


def test_a_mask_becomes_0_and_1():
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    np.testing.assert_array_equal(normalised(mask)[0], mask)


def test_a_mask_of_one_small_object_is_not_lost():
    mask = np.zeros((300, 300), bool)
    mask[20:26, 20:26] = True  # 0.04 % of the image
    np.testing.assert_array_equal(normalised(mask)[0], mask)


def test_the_input_is_untouched(cells):
    array = cells.astype(np.float64)
    array[3, 4] = np.nan
    array.flags.writeable = False
    before = array.copy()
    with pytest.warns(UnetNapariWarning):
        normalised(array)
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("value", [0, 7, -3.5, 65535, 1e300])
def test_a_constant_image_becomes_0(value):
    assert not normalised(np.full((40, 50), value)).any()


def test_one_hot_pixel_on_a_constant_image_stays_0():
    array = np.full((40, 50), 100, np.uint16)
    array[20, 20] = 65535
    assert not normalised(array).any()


@pytest.mark.parametrize("size", [12, 40, 160])
def test_one_hot_pixel_does_not_change_the_scale(cells, size):
    part = cells[:size, :size]
    hot = part.copy()
    hot[size // 2, size // 3] = 65535
    plain, spoilt = RULE.measure(as_image(part)), RULE.measure(as_image(hot))
    contrast = plain.high[0] - plain.low[0]
    assert abs(spoilt.high[0] - plain.high[0]) < 0.1 * contrast
    assert normalised(hot).max() == RULE.ceiling


def test_pure_noise_is_not_amplified():
    noise = np.random.default_rng(0).normal(300, 9, (256, 256))
    assert normalised(noise).std() == pytest.approx(1 / RULE.noise, rel=0.02)


def test_one_nucleus_on_noise_stands_out():
    rng = np.random.default_rng(1)
    array = rng.normal(300, 9, (512, 512))
    array[200:215, 300:315] += 800  # 0.09 % of the image, less than the 0.2 % above p99.8
    values = normalised(array)[0]
    assert values[202:213, 302:313].min() > 3
    assert values[:190].std() < 0.07


def test_the_contrast_of_a_micrograph_is_that_of_its_percentiles(cells):
    low, high = np.percentile(cells, [1, 99.8])
    statistics = RULE.measure(as_image(cells))
    assert statistics.low[0] == pytest.approx(low)
    assert statistics.high[0] == pytest.approx(high)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_number_at_all(value):
    with pytest.raises(ImageError, match="mine holds no number at all"):
        RULE.measure(as_image(np.full((9, 9), value), name="mine"))


def test_the_channel_without_numbers_is_named():
    array = np.stack([np.ones((9, 9)), np.full((9, 9), np.nan)])
    with pytest.raises(ImageError, match="mine, channel 1, holds no number"):
        RULE.measure(as_image(array, axes="CYX", name="mine"))


def test_what_is_not_finite_is_background_with_a_warning(cells):
    array = cells.astype(np.float32)
    array[:4] = [[np.nan], [np.inf], [-np.inf], [np.nan]]
    with pytest.warns(UnetNapariWarning, match=r"NaN or infinity in 2\.5 % of its pixels"):
        statistics = RULE.measure(as_image(array))
    assert statistics == RULE.measure(as_image(cells[4:]))
    values = RULE.apply(array[None], statistics)
    assert not values[0, :4].any()
    assert np.isfinite(values).all()


def test_whole_numbers_beyond_double_precision_are_announced():
    array = np.arange(100, dtype=np.uint64).reshape(10, 10) * 2**56
    with pytest.warns(UnetNapariWarning, match=r"beyond 2\^53"):
        values = normalised(array)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(values, normalised(array.astype(float)), atol=1e-6)


def test_extreme_floating_point_values_do_not_overflow():
    array = np.array([[-1.7e308, 0, 1.7e308] * 30] * 30)
    assert np.isfinite(normalised(array)).all()


def test_a_time_series_has_one_scale(cells):
    series = np.stack([cells, cells // 2, cells // 4])
    image = as_image(series, axes="TYX")
    whole = RULE.measure(image)
    assert whole == RULE.measure(as_image(series.reshape(-1, cells.shape[1])))
    assert whole != RULE.measure(image.select(T=2))


def test_the_rule_and_its_findings_survive_json():
    rule = Normalisation(low=2, high=99, noise=10, floor=-2, ceiling=5)
    assert Normalisation.from_dict(rule.to_dict()) == rule
    statistics = Statistics((1.5, 2.5), (3.0, 4.0))
    assert Statistics.from_dict(statistics.to_dict()) == statistics


@pytest.mark.parametrize(
    "values",
    [
        {"low": 50, "high": 50},
        {"high": 101},
        {"noise": -1},
        {"floor": 1},
        {"ceiling": float("inf")},
    ],
)
def test_a_rule_out_of_range(values):
    with pytest.raises(ValueError, match=r"not in order|negative|enclose"):
        Normalisation.from_dict(values)


def test_channels_and_statistics_go_together(cells):
    with pytest.raises(ValueError, match="2 channels, statistics of 1"):
        RULE.apply(np.stack([cells, cells]), RULE.measure(as_image(cells)))


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_the_result_is_finite_and_limited(array):
    values = normalised(array)
    assert values.shape == (1, *array.shape)
    assert np.isfinite(values).all()
    assert values.min() >= RULE.floor
    assert values.max() <= RULE.ceiling


@pytest.fixture
def small_sample(monkeypatch):
    monkeypatch.setattr(sampling, "SAMPLE_SIZE", 2**14)
    monkeypatch.setattr(sampling, "DECODED_SIZE", 2**16)


def test_a_large_image_is_sampled_within_bounds(small_sample, recorder):
    stack = np.random.default_rng(0).gamma(2, 50, (40, 80, 90))
    watched = recorder(stack)
    image = Image(watched, "ZYX")
    blocks = sampling.sample_blocks(image)
    assert 2**13 <= sum(block.size for block in blocks) <= 2**14
    planes = {key[0].start for key in watched.keys}
    assert len(planes) > 10
    assert min(planes) < 10
    assert max(planes) >= 30


def test_a_sample_is_close_to_the_whole(small_sample):
    stack = nuclei((30, 90, 100), count=60, seed=0)[0]
    found = RULE.measure(as_image(stack))
    low, high = np.percentile(stack, [1, 99.8])
    assert found.low[0] == pytest.approx(low, rel=0.05)
    assert found.high[0] == pytest.approx(high, rel=0.15)
    assert found == RULE.measure(as_image(stack))


def test_large_chunks_are_decoded_a_few_times_only(small_sample, recorder):
    watched = recorder(np.ones((64, 64, 64)))
    watched.chunks = (16, 64, 64)
    sampling.sample_blocks(Image(watched, "ZYX"))
    assert len(watched.keys) == sampling.FEWEST_BLOCKS


def test_dask_chunks_give_the_same_sample(small_sample):
    stack = np.random.default_rng(0).gamma(2, 50, (40, 80, 90))
    lazy = da.from_array(stack, chunks=(2, 20, 20))
    assert RULE.measure(as_image(lazy)) == RULE.measure(as_image(stack))


@pytest.mark.parametrize("axes", ["TYX", "TCYX", "CTYX"])
def test_a_long_series_is_sampled_over_time(small_sample, axes, recorder):
    shape = {"T": 50, "C": 2, "Y": 60, "X": 70}
    watched = recorder(np.ones([shape[axis] for axis in axes]))
    sampling.sample_blocks(Image(watched, axes))
    frames = {key[axes.index("T")] for key in watched.keys}
    assert len(frames) > 10
    assert max(frames) > 30


@given(st.lists(st.integers(1, 5000), min_size=2, max_size=3), st.integers(1, 64))
def test_blocks_fit_the_image_and_the_budget(shape, count):
    budget = 2**22 // count
    block = sampling._block_shape(tuple(shape), budget)
    assert all(1 <= size <= whole for size, whole in zip(block, shape, strict=True))
    assert np.prod(block) <= budget


EDGES = [(300, 310), (3, 200, 190), (1, 1, 5000), (40, 80, 90), (7, 129, 130)]


@pytest.mark.parametrize("shape", EDGES)
def test_every_edge_is_in_the_sample(small_sample, shape, recorder):
    """None may be left out because the size is no multiple of a block's."""
    watched = recorder(np.ones(shape))
    sampling.sample_blocks(Image(watched, "ZYX"[-len(shape) :]))
    for axis in (len(shape) - 2, len(shape) - 1):
        assert min(key[axis].start for key in watched.keys) == 0
        assert max(key[axis].stop for key in watched.keys) == shape[axis]


@pytest.mark.parametrize("shape", EDGES)
def test_a_flipped_image_has_the_same_scale(small_sample, shape):
    array = np.random.default_rng(0).normal(100, 5, shape)
    array[..., -shape[-1] // 12 :] *= 9  # what counts lies along one edge only
    found = RULE.measure(as_image(array, axes="ZYX"[-len(shape) :]))
    assert found.high[0] > 700
    for axis in range(len(shape)):
        flipped = as_image(np.flip(array, axis), axes="ZYX"[-len(shape) :])
        scale = RULE.measure(flipped)
        # A block in the very middle may lie one pixel to one side.
        assert (*scale.low, *scale.high) == pytest.approx((*found.low, *found.high), rel=1e-3)


def test_an_image_somewhat_larger_than_the_sample_is_seen_almost_whole(small_sample, recorder):
    """Places are drawn once each, also those that are their own mirror image."""
    watched = recorder(np.ones((150, 150)))
    sampling.sample_blocks(Image(watched, "YX"))
    assert len(set(map(str, watched.keys))) == len(watched.keys) > sampling.MOST_BLOCKS - 4
