import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.evaluation.object_errors import ERROR_KINDS, find_errors
from unet_napari.evaluation.objects import Evaluation


def test_each_way_of_being_wrong_is_told():
    true, predicted = np.zeros((2, 20, 100), np.uint16)
    true[2:12, 2:12] = 5  # right
    predicted[2:12, 3:12] = 50
    true[2:12, 20:30] = 6  # missed
    predicted[2:12, 40:50] = 60  # extra
    true[2:12, 60:70] = 7  # split
    predicted[2:12, 60:65], predicted[2:12, 65:70] = 70, 71
    true[2:12, 80:85], true[2:12, 85:90] = 8, 9  # merged
    predicted[2:12, 80:90] = 80
    found, errors = find_errors(true, predicted)
    assert errors.missed.tolist() == [6]
    assert errors.extra.tolist() == [60]
    assert errors.split.tolist() == [7]
    assert errors.merged.tolist() == [80]
    assert (found.splits, found.merges) == (1, 1)
    scores = Evaluation((found,)).scores()
    assert (scores["true"], scores["predicted"], scores["splits"]) == (5, 5, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6))
def test_every_object_is_right_or_wrong_in_a_way_that_is_told(seed, most):
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, most + 1, (2, 8, 9)).repeat(2, axis=1)
    found, errors = find_errors(true, predicted)
    assert (len(errors.split), len(errors.merged)) == (found.splits, found.merges)
    assert not set(errors.missed) & set(errors.split)
    assert not set(errors.extra) & set(errors.merged)
    hits = len(found.matched_iou(0.5))
    assert len(errors.missed) <= found.true_count - hits
    assert len(errors.extra) <= found.predicted_count - hits
    if not found.splits and not found.merges:
        assert len(errors.missed) == found.true_count - hits
        assert len(errors.extra) == found.predicted_count - hits


def test_equal_labels_have_nothing_wrong():
    labels = np.arange(20).reshape(4, 5)
    errors = find_errors(labels, labels)[1]
    assert all(getattr(errors, kind).size == 0 for kind in ERROR_KINDS)
    with pytest.raises(ValueError, match="shapes differ"):
        find_errors(labels, labels[1:])
