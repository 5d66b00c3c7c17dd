"""Pictures of predicted labels beside the true ones."""

import numpy as np
import pytest

from unet_napari.evaluation.sheet import compare, lay_out


@pytest.fixture
def example():
    image = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (1, 40, 1))
    true, predicted = np.zeros((2, 40, 60), int)
    true[10:20, 10:20] = 1
    predicted[20:30, 30:50] = 1
    return image, true, predicted


def coloured(picture):
    return (picture.max(axis=-1).astype(int) - picture.min(axis=-1)) > 60


def test_image_truth_and_prediction_stand_side_by_side(example):
    picture = compare(*example, "a.tif  AP50 0.000")
    assert picture.dtype == np.uint8
    shown = picture[-40:]
    bare, true, predicted = (shown[:, start : start + 60] for start in (0, 64, 128))
    assert not coloured(bare).any()
    assert coloured(true)[10, 10:20].all()
    assert not coloured(true)[22:].any()
    assert coloured(predicted)[20, 30:50].all()
    assert not coloured(predicted)[:18].any()


def test_the_caption_is_written_above(example):
    letters = compare(*example, "a.tif")[:-44]
    assert letters.max() > 200
    other = compare(*example, "b.tif")[:-44]
    assert not np.array_equal(letters, other)
    assert compare(*example, "w" * 100).shape[1] > 500  # a long name is not cut


def test_of_a_stack_the_fullest_slice_is_shown(example):
    image, true, predicted = example
    empty = np.zeros_like(true)
    stack = compare(
        np.stack([image] * 3, axis=1),
        np.stack([empty, empty, true]),
        np.stack([empty, empty, predicted]),
        "a",
    )
    assert np.array_equal(stack, compare(*example, "a"))


def test_large_images_are_made_small(example):
    large = [np.repeat(np.repeat(a, 20, -1), 20, -2) for a in example]
    picture = compare(*large, "a")
    assert picture.shape[1] == 3 * 300 + 8
    assert coloured(picture).any()


def test_rows_lie_below_each_other():
    rows = [np.full((5, 7, 3), 1, np.uint8), np.full((6, 9, 3), 2, np.uint8)]
    laid = lay_out(rows)
    assert laid.shape == (15, 9, 3)
    assert (laid[:5, :7] == 1).all()
    assert (laid[9:] == 2).all()
    assert not laid[5:9].any()
    assert not laid[:5, 7:].any()
