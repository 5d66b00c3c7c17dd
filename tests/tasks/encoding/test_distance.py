"""Depths within cells and border weights, against brute force over pairs of pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from unet_napari.tasks.encoding.distance import border_weights, relative_depth

LABELS = arrays(np.int64, st.sampled_from([(9, 10), (1, 9), (4, 5, 6)]), elements=st.integers(0, 2))


def target(labels, annotated=None, reach=5, spacing=None):
    labels = np.asarray(labels)
    annotated = np.ones(labels.shape, bool) if annotated is None else np.asarray(annotated, bool)
    values, known = relative_depth(
        torch.from_numpy(labels)[None],
        torch.from_numpy(annotated)[None],
        reach,
        spacing or (1.0,) * labels.ndim,
    )
    return values[0].numpy(), known[0].numpy()


def octagonal_depth(labels, reach):
    """Steps until a diamond and a square in turn, grown around a pixel, meet another id."""
    depth = (labels > 0).astype(int)
    for i in np.unique(labels[labels > 0]):
        left = labels == i
        for step in range(1, reach):
            square = ndimage.generate_binary_structure(labels.ndim, labels.ndim)
            diamond = ndimage.generate_binary_structure(labels.ndim, 1)
            structure = diamond if step % 2 else square
            left = ndimage.binary_erosion(left, structure, border_value=1)
            depth += left
    return depth


@settings(max_examples=40, deadline=None)
@given(labels=LABELS, reach=st.integers(1, 5))
def test_values_are_the_share_of_the_largest_depth_of_the_cell(labels, reach):
    values, known = target(labels, reach=reach)
    depth = octagonal_depth(labels, reach)
    largest = np.ones(labels.max() + 1)
    np.maximum.at(largest, labels, depth)
    np.testing.assert_allclose(values, depth / largest[labels], atol=1e-6)
    assert known.all()


def test_a_disc_is_as_deep_as_its_distance_to_the_edge_within_a_tenth():
    y, x = np.mgrid[-20:21, -20:21]
    labels = (np.hypot(y, x) < 16).astype(int)
    depth = target(labels, reach=64)[0] * 16
    assert abs(depth - ndimage.distance_transform_edt(labels)).max() < 1.6


def test_both_sides_of_touching_cells_rise_from_where_they_touch():
    values, _ = target([[1, 1, 1, 1, 2, 2, 2, 2]])
    assert values.tolist() == [[1, 0.75, 0.5, 0.25, 0.25, 0.5, 0.75, 1]]


def test_a_large_cell_has_a_plateau_and_a_small_one_a_middle():
    values, _ = target([[0, *[1] * 9, 0, 2, 2, 2, 0]], reach=3)
    third = 1 / 3
    large = [third, 2 * third, 1, 1, 1, 1, 1, 2 * third, third]
    assert values[0] == pytest.approx([0, *large, 0, 0.5, 1, 0.5, 0])


def test_ids_may_be_huge_and_the_same_in_other_images():
    labels = torch.tensor([[[0, 7, 7, 7, 0, 0]], [[0, 7, 7, 7, 7, 7]]])
    everywhere = torch.ones_like(labels, dtype=torch.bool)
    values, _ = relative_depth(labels, everywhere, 5, (1.0, 1.0))
    assert values[0, 0].tolist() == [0, 0.5, 1, 0.5, 0, 0]
    assert values[1, 0].tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    huge, _ = relative_depth(labels * 2**55, everywhere, 5, (1.0, 1.0))
    assert torch.equal(values, huge)


def test_an_id_in_two_pieces_is_one_cell():
    values, _ = target([[0, 4, 4, 4, 4, 4, 0, 4, 0]])
    assert values[0] == pytest.approx(np.array([0, 1, 2, 3, 2, 1, 0, 1, 0]) / 3)


def test_depth_is_physical():
    labels = np.zeros((9, 13, 13), int)
    labels[1:8, 1:12, 1:12] = 1
    values, _ = target(labels, reach=6, spacing=(2, 1, 1))
    assert values[4, :, 6] * 6 == pytest.approx([0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0])
    assert values[:, 6, 6] * 6 == pytest.approx([0, 2, 4, 6, 6, 6, 4, 2, 0])


def test_cells_that_touch_along_a_coarse_axis_part_there_and_background_there_is_far():
    labels = np.array([0, 1, 1, 1, 2, 2, 2, 0]).reshape(8, 1, 1)
    values, _ = target(labels, spacing=(5, 1, 1))
    assert values.ravel() == pytest.approx([0, 1, 1, 0.2, 0.2, 1, 1, 0])


def test_depth_is_unlabelled_where_an_unlabelled_pixel_is_nearer_than_an_edge():
    labels = [[0, 1, 1, 1, 1, 1, 1, 1]]
    annotated = [[1, 1, 1, 1, 1, 1, 1, 0]]
    values, known = target(labels, annotated, reach=4)
    assert values.tolist() == [[0, 0.25, 0.5, 0.75, 1, 1, 1, 1]]
    assert known.tolist() == [[True, True, True, True, False, False, False, False]]


def test_a_near_edge_is_known_whatever_lies_behind_it():
    _, known = target([[0, 1, 0, 0]], [[1, 1, 1, 0]])
    assert known.tolist() == [[True, True, True, False]]
    # The edge between 1 and the unlabelled pixel is none that anybody painted.
    values, known = target([[1, 1, 1, 0]], [[1, 1, 1, 0]], reach=2)
    assert values.tolist() == [[1, 1, 1, 0]]
    assert known.tolist() == [[True, True, False, False]]


def test_a_single_painted_slice_teaches_the_inside_of_cells():
    labels, annotated = np.zeros((3, 9, 9), int), np.zeros((3, 9, 9), bool)
    labels[1, 1:8, 1:8] = 1
    annotated[1] = True
    values, known = target(labels, annotated)
    np.testing.assert_array_equal(known, annotated)
    np.testing.assert_array_equal(values[1], target(labels[1])[0])


def exact_border_weights(labels, w0, sigma):
    """Equation 2 of the paper with a Euclidean distance transform for each cell."""
    cells = [ndimage.distance_transform_edt(labels != i) for i in np.unique(labels) if i]
    first, second = np.sort(cells, axis=0)[:2]
    return 1 + w0 * np.exp(-((first + second) ** 2) / (2 * sigma**2))


@pytest.mark.parametrize(("shape", "largest"), [((40, 50), 1.2), ((14, 16, 18), 1.6)])
def test_border_weights_are_those_of_the_paper_up_to_the_octagonal_distance(shape, largest):
    labels = np.zeros(shape, np.int64)
    labels[(slice(3, 8),) * len(shape)] = 2**40
    labels[(slice(3, 8),) * (len(shape) - 1) + (slice(11, 15),)] = 5
    labels[(slice(11, 14),) + (slice(4, 9),) * (len(shape) - 1)] = 6
    found = border_weights(torch.from_numpy(labels)[None], 10.0, 3.0, (1.0,) * len(shape))[0]
    expected = exact_border_weights(labels, 10.0, 3.0)
    np.testing.assert_allclose(found, expected, atol=largest)
    assert abs(found.numpy() - expected).mean() < 0.12


def test_border_weight_is_one_without_a_second_cell():
    labels = torch.zeros(2, 12, 12, dtype=torch.int64)
    labels[1, 3:6, 3:6] = 4
    assert border_weights(labels, 10.0, 2.0, (1.0, 1.0)).eq(1).all()


def test_border_distance_is_physical():
    labels = torch.zeros(1, 9, 1, 21, dtype=torch.int64)
    labels[0, 1, 0, 10], labels[0, 7, 0, 10] = 1, 2
    fine = border_weights(labels, 10.0, 5.0, (1.0, 1.0, 1.0))[0, 4, 0, 10]
    coarse = border_weights(labels, 10.0, 5.0, (2.0, 1.0, 1.0))[0, 4, 0, 10]
    assert fine == pytest.approx(1 + 10 * np.exp(-(6**2) / 50), rel=1e-5)
    assert coarse == pytest.approx(1 + 10 * np.exp(-(12**2) / 50), rel=1e-5)
