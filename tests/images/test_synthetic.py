"""The nuclei that the package brings along."""

import numpy as np
import pytest
from scipy import ndimage

from unet_napari.images import nuclei


@pytest.mark.parametrize(("shape", "count"), [((200, 220), 25), ((16, 80, 70), 12)])
def test_every_nucleus_is_labelled_and_brighter_than_the_background(shape, count):
    image, labels = nuclei(shape, count=count, seed=1)
    assert image.shape == labels.shape == shape
    assert image.dtype == labels.dtype == np.uint16
    assert list(np.unique(labels)) == list(range(count + 1))
    means = ndimage.mean(image, labels, range(count + 1))
    assert (means[1:] > 1.5 * means[0]).all()


def test_the_seed_decides():
    first, first_labels = nuclei((64, 64), count=5, seed=7)
    again, again_labels = nuclei((64, 64), count=5, seed=7)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first_labels, again_labels)
    assert (nuclei((64, 64), count=5, seed=8)[0] != first).any()


def test_some_nuclei_touch_and_they_differ_in_size_and_brightness():
    image, labels = nuclei((300, 300), count=50, seed=0)
    pairs = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()])
    touching = pairs[:, (pairs.min(axis=0) > 0) & (pairs[0] != pairs[1])]
    assert len(np.unique(touching)) >= 10
    sizes = np.bincount(labels.ravel())[1:]
    assert sizes.std() > 0.2 * sizes.mean()
    means = ndimage.mean(image, labels, range(1, 51))
    assert means.std() > 0.2 * means.mean()


def test_nuclei_cover_the_picture_as_in_a_culture():
    labels = nuclei((300, 300), count=50, seed=0)[1]
    assert 0.15 < (labels > 0).mean() < 0.35


def test_without_nuclei_there_is_background():
    image, labels = nuclei((40, 50), count=0, seed=0)
    assert not labels.any()
    assert 90 < image.mean() < 200


def test_one_pixel_and_one_row_are_pictures():
    assert nuclei((1, 60), count=2, seed=0)[0].shape == (1, 60)
    assert nuclei((1, 1, 1), count=1, seed=0)[0].shape == (1, 1, 1)


@pytest.mark.parametrize(("shape", "count"), [((9,), 1), ((9, 0), 1), ((9, 9), -1), ((2,) * 4, 1)])
def test_what_cannot_be_drawn(shape, count):
    with pytest.raises(ValueError, match="cannot draw"):
        nuclei(shape, count=count, seed=0)
