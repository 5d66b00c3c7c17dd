from __future__ import annotations

import numpy as np
import pytest

from unet_napari.images import Image, nuclei
from unet_napari.training import AugmentConfig, Pair, TrainConfig, augmented_examples
from unet_napari.training.data.patch_sheet import picture_of, sheet


@pytest.mark.parametrize(("shape", "ndim", "side"), [((96, 128), 2, 96), ((12, 48, 56), 3, 48)])
def test_a_sheet_of_augmented_patches(shape, ndim, side):
    image, labels = nuclei(shape, count=12, seed=0)
    pair = Pair(Image(image, "ZYX"[-ndim:]), labels)
    config = TrainConfig(ndim=ndim)
    picture = augmented_examples([pair], config, count=5)
    assert picture.dtype == np.uint8
    assert picture.shape[0] == 2 * side + 2  # two rows and the rim between
    assert picture.std() > 10
    assert np.array_equal(picture, augmented_examples([pair], config, count=5))


def test_without_augmentation_a_patch_shows_the_image():
    image, labels = nuclei((64, 64), count=12, seed=0)
    config = TrainConfig(augment=AugmentConfig.none(), patch=(64, 64), unpainted="background")
    picture = augmented_examples([Pair(Image(image, "YX"), labels)], config, count=1)
    assert np.array_equal(picture, picture_of(image[None].astype(np.float32), labels))


def test_pictures_are_made_small_and_show_the_middle_slice():
    image = np.zeros((1, 5, 600, 300), np.float32)
    labels = np.zeros((5, 600, 300), int)
    labels[2, 100:500, 100:200] = 1
    picture = picture_of(image, labels)
    assert picture.shape == (200, 100, 3)
    assert picture[100, 50].max() > 0


def test_what_says_nothing_is_darker():
    image = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (1, 40, 1))
    said = np.zeros((40, 40), bool)
    said[:20] = True
    picture = picture_of(image, np.zeros((40, 40), int), said)
    assert picture[10, 30].max() == pytest.approx(2 * picture[30, 30].max(), abs=1)


def test_a_sheet_is_about_square():
    pictures = [np.full((10, 20, 3), n, np.uint8) for n in range(1, 6)]
    laid = sheet(pictures)
    assert laid.shape == (22, 64, 3)
    assert laid[15, 30].tolist() == [5, 5, 5]
