"""Agreement of classes, against hand-counted cases."""

import numpy as np
import pytest

from unet_napari.evaluation.classes import ClassEvaluation, count_classes


def evaluate(classes, *pairs):
    return ClassEvaluation(
        classes, tuple(count_classes(np.array(t), np.array(p), classes) for t, p in pairs)
    )


def test_dice_of_each_class_is_pooled_over_the_images():
    result = evaluate((1, 2), ([[1, 1, 2, 2]], [[1, 2, 2, 2]]), ([[1, 1]], [[1, 1]]))
    # Class 1: 3 of 4 true and 3 predicted pixels agree; class 2: 2 of 2 true and 3 predicted.
    assert result.dice() == pytest.approx([6 / 7, 4 / 5])
    assert result.mean_dice() == pytest.approx((6 / 7 + 4 / 5) / 2)
    assert result.row(0) == pytest.approx(
        {"Dice": (2 / 3 + 4 / 5) / 2, "Dice 1": 2 / 3, "Dice 2": 4 / 5}
    )
    assert result.row(1)["Dice"] == 1


def test_what_is_not_labelled_says_nothing():
    assert evaluate((1, 2), ([[1, 0, 0, 2]], [[1, 1, 1, 2]])).dice() == pytest.approx([1, 1])


def test_a_class_that_does_not_occur_is_left_out_of_the_mean():
    result = evaluate((1, 2, 9), ([[1, 2]], [[1, 2]]))
    assert np.isnan(result.dice()[2])
    assert result.mean_dice() == 1
    assert evaluate((1, 2), ([[0, 0]], [[1, 1]])).mean_dice() == 1


def test_description_says_pooled_and_per_image():
    result = evaluate((1, 2), ([[1, 1, 2, 2]], [[1, 2, 2, 2]]), ([[1, 1]], [[1, 1]]))
    lines = result.describe().splitlines()
    assert lines[:2] == ["Dice 1    0.857", "Dice 2    0.800"]
    assert lines[2] == "Dice      0.829 pooled, 0.867 per image (mean of the classes)"


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shapes differ"):
        count_classes(np.zeros((2, 2), int), np.zeros((2, 3), int), (1,))
