"""A film that bleaches is scaled time point by time point; any other as a whole."""

import warnings

import numpy as np
import pytest

from unet_napari.errors import UnetNapariWarning
from unet_napari.images import Normalisation, as_image, measure_scale, nuclei

RULE = Normalisation()
CELLS = nuclei((160, 170), count=30, seed=3)[0].astype(float)


def film(factors, offset=0.0, axes="TYX"):
    return as_image(np.stack([CELLS * factor + offset for factor in factors]), axes=axes)


def quietly(image):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return measure_scale(RULE, image)


@pytest.mark.parametrize("factors", [np.linspace(1, 0.05, 9), np.geomspace(0.2, 1, 40)])
def test_each_time_point_of_a_bleaching_film_has_its_own_scale(factors):
    image = film(factors)
    with pytest.warns(UnetNapariWarning, match="each time point is scaled by itself"):
        scale = measure_scale(RULE, image)
    assert scale.drift == pytest.approx(max(factors) / min(factors))
    bright = RULE.apply(CELLS[None], RULE.measure(as_image(CELLS)))
    for t in (0, 3, len(factors) - 1):
        still = image.select(T=t)
        np.testing.assert_allclose(RULE.apply(still.read(), scale.of(still)), bright, atol=1e-5)
        assert scale.at(t) == scale.of(still)


def test_a_background_that_rises_is_drift_too():
    image = as_image(np.stack([CELLS + 400 * t for t in range(6)]), axes="TYX")
    with pytest.warns(UnetNapariWarning, match="changes over time, so"):
        scale = measure_scale(RULE, image)
    assert scale.at(5).low[0] == pytest.approx(scale.at(0).low[0] + 2000)


@pytest.mark.parametrize("factors", [[1.0] * 4, [1, 0.95, 0.9, 0.85]])
def test_a_steady_film_has_one_scale(factors):
    scale = quietly(film(factors))
    assert scale.drift is None
    assert scale.at(3) == scale.at(None) == scale.whole == RULE.measure(film(factors))


def test_time_points_without_cells_are_no_drift():
    noise = np.random.default_rng(0).normal(100, 16, CELLS.shape)
    image = as_image(np.stack([CELLS, noise, CELLS, noise]), axes="TYX")
    assert quietly(image).drift is None


def test_slices_are_no_time_points():
    image = film(np.linspace(1, 0.1, 5), axes="ZYX")
    assert quietly(image).of(image.select(Z=4)) == RULE.measure(image)


def test_a_time_point_without_a_number_is_measured_as_the_whole():
    frames = np.stack([CELLS, CELLS * 0.3, np.full_like(CELLS, np.nan)])
    image = as_image(frames, axes="TYX")
    with pytest.warns(UnetNapariWarning):
        scale = measure_scale(RULE, image)
    assert scale.drift == pytest.approx(1 / 0.3)
    assert scale.at(2) == scale.whole
