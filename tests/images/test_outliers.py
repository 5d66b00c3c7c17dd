"""What is no image does not set the brightness scale; what is, does as ever."""

import numpy as np
import pytest
from scipy import ndimage

from unet_napari.errors import UnetNapariWarning
from unet_napari.images import Normalisation, Statistics, as_image, nuclei

RULE = Normalisation()
OFFSET = 1000


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    """Nuclei on the offset of a camera, with noise."""
    return nuclei((200, 210), count=40, seed=3)[0] + OFFSET


def scale(array, axes="YX"):
    """Return the scale and what was said about it."""
    image = as_image(array, axes=axes)
    found = RULE.measure(image)
    return found.low[0], found.high[0], found


def close(array, cells, axes="YX"):
    """Tell whether two images have the same scale, but for the few pixels that only one has."""
    low, high, _ = scale(cells)
    return scale(array, axes)[:2] == pytest.approx((low, high), abs=0.1 * (high - low))


def turned(array, value, order=1):
    return ndimage.rotate(array.astype(float), 20, order=order, cval=value)


PADDED = {
    "columns": lambda a, v: np.pad(a, ((0, 0), (0, 6)), constant_values=v),
    "rows": lambda a, v: np.pad(a, ((9, 0), (0, 0)), constant_values=v),
    "a frame": lambda a, v: np.pad(a, 40, constant_values=v),
    "a corner": lambda a, v: np.where(np.indices(a.shape).max(axis=0) < 60, v, a),
    "a wide canvas": lambda a, v: np.pad(a, ((0, 900), (0, 300)), constant_values=v),
    "turned": turned,
    "a line within": lambda a, v: np.insert(a, [50] * 5, v, axis=1),
    "dead pixels": lambda a, v: np.where(np.random.default_rng(0).random(a.shape) < 0.03, v, a),
}


@pytest.mark.parametrize("value", [0, 77, 65535])
@pytest.mark.parametrize("how", PADDED)
def test_an_exact_constant_that_is_no_image_does_not_count(cells, how, value):
    padded = PADDED[how](cells, value)
    with pytest.warns(UnetNapariWarning, match=f"exactly {value},.* left out of the brightness"):
        low, high, found = scale(padded)
    with pytest.warns(UnetNapariWarning, match="NaN"):
        expected = scale(np.where(padded == value, np.nan, padded))
    assert (low, high) == pytest.approx(expected[:2], abs=0.05 * (high - low))
    assert found.outside == ((float(value),),)
    normalised = RULE.apply(padded[None], found)[0]
    assert not normalised[padded == value].any()  # background, as NaN is


@pytest.mark.parametrize("axes", ["TYX", "ZYX"])
def test_empty_frames_do_not_count(cells, axes):
    frames = np.stack([cells] * 5 + [np.zeros_like(cells)] * 2)
    with pytest.warns(UnetNapariWarning, match="29 % of the pixels"):
        assert close(frames, cells, axes)


def test_two_constants_at_once(cells):
    padded = np.pad(np.pad(cells, ((0, 0), (0, 9))), ((0, 0), (9, 0)), constant_values=65535)
    with pytest.warns(UnetNapariWarning, match="exactly 0 or 65535|exactly 65535 or 0"):
        assert close(padded, cells)


def test_padding_and_a_speck_at_once(cells):
    padded = np.pad(cells, ((0, 0), (0, 30)))
    padded[50:62, 80:92] = 20_000
    with pytest.warns(UnetNapariWarning, match="exactly 0"):
        assert close(padded, cells)


@pytest.mark.parametrize("times", [4, 10, 50])
def test_a_speck_of_debris_does_not_count(cells, times):
    low, high, _ = scale(cells)
    spoilt = cells.astype(np.float64)
    spoilt[30:42, 100:112] = low + times * (high - low)  # 0.34 % of the image
    assert close(spoilt, cells)
    assert scale(spoilt)[2].outside == ()


def test_a_few_hot_pixels_of_any_brightness_do_not_count(cells):
    rng = np.random.default_rng(1)
    spoilt = cells.astype(np.float64)
    hot = rng.random(cells.shape) < 0.004
    spoilt[hot] = rng.uniform(40_000, 50_000, hot.sum())
    assert close(spoilt, cells)


def test_the_brightest_tenth_of_the_cells_does_not_hide_the_others():
    image, labels = nuclei((400, 400), count=60, seed=3)
    low, high, _ = scale(image)
    ids = np.unique(labels)[1:]
    background = np.percentile(image, 1)
    times = np.ones(labels.max() + 1)
    times[ids[::10]] = np.linspace(6, 12, len(ids[::10]))  # cells differ more than debris does
    spoilt = (image - background) * times[labels] + background
    spoilt_low, spoilt_high, _ = scale(spoilt)
    assert spoilt_low == pytest.approx(low, abs=0.1 * (high - low))
    assert 0.7 * (high - low) < spoilt_high - spoilt_low < 1.2 * (high - low)


def test_bright_nuclei_among_grains_count():
    """As in an embryo: the grains between the nuclei are many, but smaller than they are."""
    image = np.zeros((300, 300))
    grid = np.mgrid[15:300:30, 15:300:30].reshape(2, -1).T
    for number, (y, x) in enumerate(grid):
        radius, brightness = (9, 900) if number % 10 == 4 else (3, 90)
        yy, xx = np.mgrid[:300, :300]
        image[np.hypot(yy - y, xx - x) < radius] = brightness
    noise = np.random.default_rng(0).normal(0, 1.5, image.shape)
    assert same_as_percentiles(ndimage.gaussian_filter(image, 1) + noise + 100)


def same_as_percentiles(array):
    """Tell whether an image is measured as if every pixel counted."""
    low, high = np.percentile(array, [1, 99.8])
    return scale(array) == (low, high, Statistics((low,), (high,)))


def test_a_black_background_counts(cells):
    """Clipped at 0, as that of many images is."""
    assert same_as_percentiles(np.maximum(cells.astype(int) - OFFSET - 150, 0))


def test_a_background_that_was_set_to_0_counts():
    """Of cells that are dense or few: it is not padding, although it touches the border."""
    for count, seed in ((60, 1), (6, 2)):
        image, labels = nuclei((200, 210), count=count, seed=seed)
        assert same_as_percentiles(np.where(labels > 0, image + 300, 0))


def test_few_bright_nuclei_count():
    """On little else they are the image, not specks on it."""
    image, _ = nuclei((300, 300), count=4, seed=0)
    assert same_as_percentiles(image)


def test_saturated_cells_count(cells):
    assert same_as_percentiles(np.minimum(cells, int(np.percentile(cells, 98))))


def test_a_picture_of_few_values_counts():
    """A mask, or labels: each value means something."""
    steps = np.zeros((100, 100))
    steps[20:80, 20:80] = 100
    steps[40:60, 40:60] = 200
    assert same_as_percentiles(steps)


def test_channels_are_padded_each_for_itself(cells):
    both = np.stack([np.pad(cells, 10), np.pad(cells - OFFSET, 10)])
    with pytest.warns(UnetNapariWarning, match="channel 0, are exactly 0"):
        _, _, found = scale(both, "CYX")
    assert found.outside == ((0.0,), ())
    assert Statistics.from_dict(found.to_dict()) == found
