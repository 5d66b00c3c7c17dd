"""Colour pictures are taken for what a model of other channels can use, or refused with a way."""

import warnings

import numpy as np
import pytest

from unet_napari import Model, segment
from unet_napari.errors import ImageError, UnetNapariWarning
from unet_napari.images import Image, Normalisation
from unet_napari.images.colours import fit_colours
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask

GRAY = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
COLOURS = np.random.default_rng(1).integers(0, 255, (40, 50, 3), np.uint8)


def rgba(colours, alpha):
    return np.dstack([colours, np.full(colours.shape[:2], alpha, np.uint8)])


def fitted(pixels, channels, axes="YXC"):
    """Return what is taken of an image, and what is said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = fit_colours(Image(pixels, axes), channels)
    return image, [str(warning.message) for warning in caught]


def test_of_rgb_with_transparency_the_colours_are_taken():
    image, said = fitted(rgba(COLOURS, 255), 3)
    assert (image.channels, said) == (3, [])
    np.testing.assert_array_equal(image.read(), np.moveaxis(COLOURS, -1, 0))
    region = (slice(3, 9), slice(5, 20))
    np.testing.assert_array_equal(image.read(region), np.moveaxis(COLOURS[region], -1, 0))
    np.testing.assert_array_equal(image.select(C=2).read()[0], COLOURS[..., 2])
    np.testing.assert_array_equal(image.data[...], COLOURS)
    np.testing.assert_array_equal(image.data[4], COLOURS[4])
    half = rgba(COLOURS, 255)
    half[:20, :, 3] = 9
    image, said = fitted(half, 3)
    assert "transparency is left out" in said[0]
    np.testing.assert_array_equal(image.read(), np.moveaxis(COLOURS, -1, 0))


@pytest.mark.parametrize("pixels", [np.dstack([GRAY] * 3), rgba(np.dstack([GRAY] * 3), 255)])
def test_grays_saved_as_rgb_are_gray(pixels):
    image, said = fitted(pixels, 1)
    assert image.channels == 1
    assert "three colours are equal" in said[0]
    np.testing.assert_array_equal(image.read()[0], GRAY)


@pytest.mark.parametrize(
    ("pixels", "axes", "channels"),
    [
        (COLOURS, "YXC", 1),
        (COLOURS, "YXC", 3),
        (COLOURS, "YXC", 2),
        (np.stack([GRAY] * 3), "CYX", 1),
        (np.stack([GRAY] * 4), "CYX", 3),
        (rgba(COLOURS, 255), "YXC", 1),
    ],
)
def test_all_others_stay_as_they_are(pixels, axes, channels):
    image, said = fitted(pixels, channels, axes)
    assert (image.channels, said) == (3 if pixels.shape[-1 if axes == "YXC" else 0] == 3 else 4, [])


@pytest.fixture
def model():
    network = build_network("unet", {"in_channels": 1, "out_channels": 3, "features": (2, 4)})
    return Model(network.eval(), CellsTask(), Normalisation(), name="grays")


def test_a_gray_model_segments_grays_saved_as_rgb(model):
    with pytest.warns(UnetNapariWarning, match="taken for gray"):
        labels = segment(np.dstack([GRAY] * 3), model)
    np.testing.assert_array_equal(labels, segment(GRAY, model))
    with pytest.raises(ImageError, match=r"3 channels, .*--channel.*Split RGB"):
        segment(COLOURS, model)


def test_a_single_plane_is_a_picture(model):
    np.testing.assert_array_equal(segment(GRAY[np.newaxis], model), segment(GRAY, model))


def test_a_model_is_told_in_one_line(model):
    weights = f"{model.network.parameter_count:,} weights"
    assert repr(model) == f"<Model 'grays': cells, 2D, 1 channel, unet, {weights}>"
