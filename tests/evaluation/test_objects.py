"""Agreement of labels, against hand-counted cases and a brute-force implementation."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet_napari.evaluation.objects import average_precision, class_dice, evaluate, match
from unet_napari.images import nuclei

SMALL = arrays(np.int64, (6, 7), elements=st.integers(0, 4))


def brute_force_iou(true, predicted):
    """IoU of every true object (rows) with every predicted one (columns), from masks."""
    rows = [true == i for i in np.unique(true) if i]
    columns = [predicted == i for i in np.unique(predicted) if i]
    return np.array([[(a & b).sum() / (a | b).sum() for b in columns] for a in rows]).reshape(
        len(rows), len(columns)
    )


def brute_force_hits(iou, threshold):
    """Size of the largest one-to-one matching, by trying all of them."""
    rows, columns = iou.shape
    if rows > columns:
        return brute_force_hits(iou.T, threshold)
    return max(
        sum(iou[r, c] >= threshold for r, c in enumerate(order))
        for order in itertools.permutations(range(columns), rows)
    )


@settings(max_examples=60, deadline=None)
@given(true=SMALL, predicted=SMALL, threshold=st.sampled_from([0.1, 0.3, 0.5, 0.75, 1.0]))
def test_counts_are_those_of_all_matchings_tried(true, predicted, threshold):
    iou = brute_force_iou(true, predicted)
    hits = brute_force_hits(iou, threshold)
    union = sum(iou.shape) - hits
    result = evaluate(true, predicted)
    assert result.average_precision(threshold) == (hits / union if union else 1.0)
    assert result.f1(threshold) == (2 * hits / sum(iou.shape) if union else 1.0)


def test_scores_are_those_of_stardist():
    """On pictures of nuclei whose labels were moved, so that all kinds of overlap occur."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, when it is imported
        from stardist.matching import matching, matching_dataset
    truth = [nuclei((96, 128), count=n, seed=n)[1].astype(np.int32) for n in (5, 40, 60)]
    found = [
        np.roll(labels, shift, axis=(0, 1)) for labels, shift in zip(truth, (1, 2, 3), strict=True)
    ]
    found[2] = np.where(found[2] % 5 == 0, 0, (found[2] + 1) // 2)  # misses and merges
    ours = evaluate(truth, found)
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        single = [matching(t, p, thresh=threshold) for t, p in zip(truth, found, strict=True)]
        pooled = matching_dataset(truth, found, thresh=threshold, show_progress=False)
        mean = matching_dataset(truth, found, thresh=threshold, by_image=True, show_progress=False)
        assert ours.average_precision(threshold) == pytest.approx(pooled.accuracy)
        assert ours.f1(threshold) == pytest.approx(pooled.f1)
        assert ours.panoptic_quality(threshold) == pytest.approx(pooled.panoptic_quality)
        per_image = ours.per_image_precision(threshold)
        assert per_image == pytest.approx([result.accuracy for result in single])
        assert np.mean(per_image) == pytest.approx(mean.accuracy)


@settings(max_examples=30, deadline=None)
@given(true=SMALL, predicted=SMALL)
def test_table_holds_the_iou_of_every_pair_that_overlaps(true, predicted):
    table = match(true, predicted)
    iou = brute_force_iou(true, predicted)
    expected = np.zeros_like(iou)
    expected[table.true_index, table.predicted_index] = table.iou
    np.testing.assert_allclose(expected, iou)


def test_panoptic_quality_of_a_hand_counted_case():
    true = np.array([[1, 1, 1, 1, 0, 2, 2, 0, 3]])
    predicted = np.array([[5, 5, 5, 0, 0, 9, 9, 9, 0]])
    result = evaluate(true, predicted)
    # IoU 3/4 and 2/3 are hits, object 3 is missed.
    assert result.panoptic_quality() == pytest.approx((3 / 4 + 2 / 3) / (2 + 0.5))
    assert result.average_precision(0.7) == pytest.approx(1 / 4)
    assert result.dice == pytest.approx(2 * 5 / (7 + 6))


def test_splits_and_merges():
    true = np.array([[1, 1, 1, 1, 0, 2, 2, 3, 3]])
    predicted = np.array([[4, 4, 7, 7, 0, 6, 6, 6, 6]])
    result = evaluate(true, predicted)
    assert (result.splits, result.merges) == (1, 1)
    assert (evaluate(true, true).splits, evaluate(true, true).merges) == (0, 0)


def test_pooled_and_per_image_differ_where_images_differ_in_size():
    few, many = np.array([[1, 0, 0, 0]]), np.array([[1, 2, 3, 4]])
    result = evaluate([few, many], [np.zeros_like(few), many])
    assert result.average_precision() == pytest.approx(4 / 5)
    assert result.per_image_precision() == [0.0, 1.0]


def test_nothing_to_find_and_nothing_found_is_perfect():
    empty = np.zeros((3, 3), int)
    result = evaluate(empty, empty)
    assert (result.average_precision(), result.panoptic_quality(), result.dice) == (1, 1, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint64])
def test_dtype_and_size_of_ids_do_not_matter(dtype):
    labels = np.array([[0, 1, 1, 0, 2]], dtype)
    far = np.where(labels > 0, labels.astype(np.int64) + 2**31, 0)
    assert average_precision(labels, far, 1.0) == 1.0


def test_thousands_of_objects_are_all_matched():
    labels = np.arange(1, 90_001).reshape(300, 300).repeat(2, 0).repeat(2, 1)
    assert evaluate(labels, labels[::-1][::-1]).panoptic_quality() == 1.0
    assert evaluate(labels, np.roll(labels, 2, axis=0)).average_precision() == 1.0


def test_only_annotated_pixels_count():
    true = np.array([[1, 1, 0, 0, 0, 0]])
    predicted = np.array([[1, 1, 0, 2, 2, 2]])
    annotated = np.array([[1, 1, 1, 1, 0, 0]], bool)
    # Object 2 lies mostly where nobody looked; with one more pixel inside it is a false positive.
    assert evaluate(true, predicted, annotated).average_precision() == 1.0
    annotated[0, 4] = True
    assert evaluate(true, predicted, annotated).average_precision() == 0.5


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shapes differ"):
        match(np.zeros((2, 2), int), np.zeros((2, 3), int))


def test_dice_of_a_class():
    true, predicted = np.array([1, 1, 2, 2]), np.array([1, 2, 2, 2])
    assert class_dice(true, predicted, 1) == pytest.approx(2 / 3)
    assert class_dice(true, predicted, 2) == pytest.approx(4 / 5)
    assert class_dice(true, predicted, 3) == 1.0


def test_description_names_every_measure():
    text = evaluate(np.array([[1, 1, 0]]), np.array([[1, 1, 1]])).describe()
    assert "AP 0.6    1.000" in text
    assert "AP 0.7    0.000" in text
    for name in ("F1", "PQ", "splits", "merges", "Dice"):
        assert name in text


def test_a_row_holds_the_measures_of_one_image():
    one, other = np.array([[1, 1, 0]]), np.array([[1, 1, 1]])
    result = evaluate([one, one], [one, other])
    assert result.row(0)["AP90"] == 1
    assert result.row(1) == pytest.approx(evaluate(one, other).row(0))
    assert (result.row(1)["AP60"], result.row(1)["AP70"]) == (1, 0)
    assert result.row(1)["PQ"] == pytest.approx(2 / 3)
