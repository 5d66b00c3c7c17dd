"""Boundary targets, against brute force over pairs of pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet_napari.tasks.encoding.boundary import boundary_target

LABELS = arrays(np.int64, st.sampled_from([(7, 8), (1, 9), (3, 4, 5)]), elements=st.integers(0, 2))


def target(labels, annotated=None, width=2.0, spacing=None):
    labels = np.asarray(labels)
    annotated = np.ones(labels.shape, bool) if annotated is None else np.asarray(annotated, bool)
    values, known = boundary_target(
        torch.from_numpy(labels)[None],
        torch.from_numpy(annotated)[None],
        width,
        spacing or (1.0,) * labels.ndim,
    )
    return values[0].numpy(), known[0].numpy()


def brute_force(labels, width, spacing):
    """1 next to another id, less with the distance to it; 0 outside of cells."""
    points = np.argwhere(np.ones(labels.shape, bool))
    ids = labels.ravel()
    steps = (points[:, None] - points) * np.asarray(spacing)
    distance = np.sqrt((steps**2).sum(-1))
    distance[ids[:, None] == ids] = np.inf
    nearest = distance.min(1)
    value = np.where(nearest <= width, np.minimum(1, 1 - (nearest - 1) / width), 0)
    return (value * (ids > 0)).reshape(labels.shape)


@settings(max_examples=40, deadline=None)
@given(labels=LABELS, width=st.sampled_from([1.0, 1.5, 2.0, 3.0]))
def test_values_fall_with_the_distance_to_the_next_id(labels, width):
    values, known = target(labels, width=width)
    np.testing.assert_allclose(values, brute_force(labels, width, (1,) * labels.ndim), atol=1e-6)
    assert known.all()


def test_both_sides_of_touching_cells_are_boundary():
    values, _ = target([[1, 1, 1, 1, 2, 2, 2, 2]])
    assert values.tolist() == [[0, 0, 0.5, 1, 1, 0.5, 0, 0]]


def test_ids_may_be_huge_and_need_not_be_consecutive():
    small, _ = target([[0, 1, 1, 2, 2, 0]])
    large, _ = target([[0, 7, 7, 2**31 - 1, 2**31 - 1, 0]])
    np.testing.assert_array_equal(small, large)


def test_distance_is_physical():
    labels = np.zeros((7, 9, 9), int)
    labels[1:6, 1:8, 1:8] = 1
    values, _ = target(labels, spacing=(1.5, 1, 1))
    assert values[:, 4, 4] == pytest.approx([0, 0.75, 0, 0, 0, 0.75, 0])
    assert values[3, :, 4] == pytest.approx([0, 1, 0.5, 0, 0, 0, 0.5, 1, 0])


def test_cells_that_touch_along_a_coarse_axis_have_a_boundary_and_background_there_makes_none():
    labels = np.array([0, 1, 1, 1, 2, 2, 2, 0]).reshape(8, 1, 1)
    values, _ = target(labels, spacing=(5, 1, 1))
    assert values.ravel().tolist() == [0, 0, 0, 1, 1, 0, 0, 0]


def test_the_boundary_next_to_unlabelled_pixels_is_unlabelled():
    labels = [[0, 1, 1, 1, 1, 1, 1, 1]]
    annotated = [[1, 1, 1, 1, 1, 1, 1, 0]]
    values, known = target(labels, annotated)
    assert values.tolist() == [[0, 1, 0.5, 0, 0, 0, 0, 0]]
    assert known.tolist() == [[True, True, True, True, True, False, False, False]]


def test_a_near_edge_is_known_whatever_lies_behind_it():
    _, known = target([[0, 1, 0, 0]], [[1, 1, 1, 0]])
    assert known.tolist() == [[True, True, True, False]]
    # The edge between 1 and the unlabelled pixel is none that anybody painted.
    values, known = target([[1, 1, 1, 0]], [[1, 1, 1, 0]])
    assert values.max() == 0
    assert known.tolist() == [[True, False, False, False]]


def test_a_single_painted_slice_teaches_the_inside_of_cells():
    labels, annotated = np.zeros((3, 9, 9), int), np.zeros((3, 9, 9), bool)
    labels[1, 1:8, 1:8] = 1
    annotated[1] = True
    _, known = target(labels, annotated)
    np.testing.assert_array_equal(known, annotated)
