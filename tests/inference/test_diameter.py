"""How large objects are, and that a model finds larger ones than it was trained on."""

import numpy as np
import pytest

from unet_napari import estimate_diameter, segment
from unet_napari.evaluation.objects import average_precision
from unet_napari.images import Image, nuclei
from unet_napari.inference import InferenceConfig
from unet_napari.inference import diameter as module
from unet_napari.inference import diameter_steps as estimate_steps
from unet_napari.labels.measure import diameters


@pytest.fixture(scope="module")
def unseen():
    """Nuclei as the model knows them, in another image."""
    return nuclei((192, 256), count=56, seed=5)


def enlarge(array, times):
    for axis in range(array.ndim):
        array = np.repeat(array, times, axis=axis)
    return array


@pytest.mark.parametrize("times", [1, 2, 4])
def test_the_diameter_is_that_of_the_nuclei(trained_model, unseen, times):
    image, labels = (enlarge(array, times) for array in unseen)
    expected = np.median(diameters(labels))
    assert estimate_diameter(image, trained_model) == pytest.approx(expected, rel=0.2)


def test_no_diameter_is_estimated_that_cannot_be_set(trained_model, unseen, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_FACTOR", 3)
    image = enlarge(unseen[0], 4)
    assert estimate_diameter(image, trained_model) == 3 * trained_model.diameter


def test_a_model_of_small_nuclei_finds_large_ones(trained_model, unseen):
    usual = average_precision(unseen[1], segment(unseen[0], trained_model))
    image, truth = (enlarge(array, 4) for array in unseen)
    own = segment(image, trained_model, diameter="model")
    assert average_precision(truth, own) < 0.2
    found = segment(image, trained_model, diameter="auto")
    assert average_precision(truth, found) > usual - 0.05 > 0.4


def test_what_has_the_usual_size_is_found_as_without(trained_model, unseen):
    image, truth = unseen
    usual = average_precision(truth, segment(image, trained_model))
    assert average_precision(truth, segment(image, trained_model, diameter="auto")) > usual - 0.1


@pytest.mark.parametrize("image", ["noise", "few"])
def test_where_nothing_can_be_measured_nothing_is_rescaled(trained_model, unseen, image):
    rng = np.random.default_rng(0)
    pixels, labels = unseen
    if image == "noise":
        pixels = rng.normal(1000, 30, (150, 150)).astype(np.uint16)
    else:
        pixels = np.where(labels == 20, pixels, np.uint16(110)) + rng.integers(0, 9, labels.shape)
    assert estimate_diameter(pixels, trained_model) is None
    np.testing.assert_array_equal(
        segment(pixels, trained_model, diameter="auto"), segment(pixels, trained_model)
    )


def test_a_stack_is_measured_in_its_middle_slice(trained_model, unseen):
    image, labels = unseen
    noise = np.random.default_rng(0).permutation(image[labels == 0])
    empty = np.resize(noise, image.shape)
    stack = np.stack([empty, image, empty])
    expected = np.median(diameters(labels))
    found = estimate_diameter(stack, trained_model, axes="ZYX")
    assert found == pytest.approx(expected, rel=0.2)


def test_what_is_looked_at_is_bounded(trained_model, monkeypatch):
    """A part of bounded size is segmented at each scale, however large the image is."""
    sizes = []
    predictor = module.Predictor

    def make(prepared, shape, config):
        sizes.append(np.prod(shape))
        return predictor(prepared, shape, config)

    monkeypatch.setattr(module, "Predictor", make)
    image = np.tile(nuclei((192, 256), count=56, seed=5)[0], (16, 16))
    assert estimate_diameter(image, trained_model) is not None
    assert 8 <= len(sizes) <= 14
    assert max(sizes) <= 1.1 * module._PIXELS_SEEN[2][1]


def test_progress_reaches_its_end(trained_model, unseen):
    steps = estimate_steps(Image(unseen[0], "YX"), trained_model, InferenceConfig())
    told = list(steps)
    assert [step.done for step in told] == list(range(1, told[-1].total + 1))


def test_a_model_without_a_diameter_estimates_none(make_model, unseen):
    assert estimate_diameter(unseen[0], make_model()) is None
