"""Which of two results is better: counted by hand, and covered as often as is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet_napari.evaluation.difference import difference
from unet_napari.evaluation.objects import average_precision, match

TRUE = np.repeat(np.arange(41), 4).reshape(41, 4)  # forty objects, each a row of four pixels
SMALL = arrays(np.int64, (6, 7), elements=st.integers(0, 4))


def found(kept, extra=0):
    """Labels in which the first objects are found, and so many that are none."""
    labels = np.where(kept >= TRUE, TRUE, 0)
    labels = np.pad(labels, ((0, extra), (0, 0)))
    labels[len(TRUE) :] = 1000 + np.arange(extra)[:, None]
    return labels


def against_truth(*results):
    height = max(len(result) for result in results)
    grown = [np.pad(x, ((0, height - len(x)), (0, 0))) for x in (TRUE, *results)]
    return [[match(grown[0], x)] for x in grown[1:]]


def test_a_clear_difference_is_told():
    found_of = difference(*against_truth(found(38), found(20)))
    assert (found_of.first, found_of.second) == (38 / 40, 20 / 40)
    assert found_of.better == 1
    assert 0.2 < found_of.low < 0.45 < found_of.high < 0.7
    assert (found_of.draws, found_of.unit) == (40, "objects")
    assert difference(*against_truth(found(20), found(38))).better == 2
    said = found_of.describe("a", "b")
    assert said.startswith("AP50 0.950 of 'a', 0.500 of 'b': 'a' is better (difference +0.")


def test_one_object_more_is_chance():
    found_of = difference(*against_truth(found(38), found(37)))
    assert found_of.better == 0
    assert found_of.low == 0
    assert "none is better beyond chance" in found_of.describe("a", "b")


def test_what_is_no_object_counts():
    found_of = difference(*against_truth(found(40), found(40, extra=20)))
    assert found_of.second == 40 / 60
    assert found_of.better == 1
    assert found_of.draws == 60  # forty true objects, and twenty that are none


def test_ten_images_are_drawn_as_images():
    first, second = against_truth(found(38), found(20))
    found_of = difference(first * 10, second * 10)
    assert (found_of.draws, found_of.unit) == (10, "images")
    assert found_of.low == pytest.approx(found_of.high)  # all images are the same


def test_nothing_at_all_is_equal():
    nothing = [match(np.zeros((3, 3), int), np.zeros((3, 3), int))]
    found_of = difference(nothing, nothing)
    assert (found_of.first, found_of.second, found_of.low, found_of.high) == (1, 1, 0, 0)
    assert found_of.better == 0


def test_results_of_other_labels_are_refused():
    with pytest.raises(ValueError, match="different labels"):
        difference([match(TRUE, TRUE)], [match(TRUE // 2, TRUE)])


@settings(max_examples=60, deadline=None)
@given(true=SMALL, first=SMALL, second=SMALL, threshold=st.sampled_from([0.1, 0.5, 0.8]))
def test_scores_are_those_of_the_evaluation(true, first, second, threshold):
    found_of = difference([match(true, first)], [match(true, second)], threshold=threshold)
    assert found_of.first == pytest.approx(average_precision(true, first, threshold))
    assert found_of.second == pytest.approx(average_precision(true, second, threshold))
    assert found_of.low <= found_of.high


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Two models that find each object by chance: the true difference is known."""
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(1, 151), 2).reshape(150, 2)
    wanted = 0.85 - 0.75  # of AP, where nothing is found besides
    held = 0
    for seed in range(200):
        results = [np.where(random.random((150, 1)) < p, truth, 0) for p in (0.85, 0.75)]
        found_of = difference(*([match(truth, result)] for result in results), seed=seed)
        held += found_of.low <= wanted <= found_of.high
    assert 180 <= held <= 198
