"""Objects of a labels array, found without looking at all of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari._napari.corrections.objects import (
    bridge,
    cut_along,
    object_at,
    objects_within,
)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), ndim=st.sampled_from([2, 3]))
def test_an_object_is_found_whole_however_far_it_goes(seed, ndim):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(5, (200, 40)[ndim - 2], ndim))
    labels = np.zeros(shape, np.uint16)
    start = [int(rng.integers(0, n)) for n in shape]
    stop = [int(rng.integers(a + 1, n + 1)) for a, n in zip(start, shape, strict=True)]
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    labels[box] = 7
    point = [int(rng.integers(a, b)) for a, b in zip(start, stop, strict=True)]
    found = object_at(labels, point, range(ndim))
    assert found.number == 7
    assert found.window == box
    assert found.mask.all()
    expected = np.zeros(shape, bool)
    expected[found.indices] = True
    np.testing.assert_array_equal(expected, labels == 7)


def test_an_object_is_one_slice_thick_along_an_axis_that_is_not_its_own():
    labels = np.ones((3, 100, 100), np.uint8)
    found = object_at(labels, (1, 50, 50), (1, 2))
    assert found.window == (slice(1, 2), slice(0, 100), slice(0, 100))


@pytest.mark.parametrize("point", [(0, 0), (-1, 3), (3, 100)])
def test_nothing_is_found_on_background_and_outside(point):
    labels = np.zeros((10, 10), np.uint8)
    labels[3, 3:] = 2
    assert object_at(labels, point, (0, 1)) is None


def test_objects_that_mostly_lie_within_an_area_are_found():
    labels = np.zeros((2, 10, 20), np.uint8)
    labels[1, 2:4, 2:4], labels[1, 2:4, 8:14], labels[1, 6, 18:] = 1, 2, 3
    inside = np.zeros((10, 20), bool)
    inside[:, :10] = True  # all of 1, a third of 2, nothing of 3
    plane = (1, slice(0, 10), slice(0, 20))
    assert objects_within(labels, plane, inside) == [(1, 2, 2)]
    inside[:, :12] = True  # two thirds of 2
    assert objects_within(labels, plane, inside) == [(1, 2, 2), (1, 2, 8)]


def test_a_line_across_cuts_in_two_and_gives_every_pixel_away():
    mask = np.ones((9, 21), bool)
    line = np.zeros_like(mask)
    line[:, 7] = True
    larger, smaller = cut_along(mask, line)
    np.testing.assert_array_equal(larger ^ smaller, mask)
    assert larger[:, 8:].all()
    assert smaller[:, :7].all()


def test_a_line_that_ends_inside_cuts_nothing():
    mask = np.ones((9, 21), bool)
    line = np.zeros_like(mask)
    line[:5, 7] = True
    assert cut_along(mask, line) is None


def test_a_gap_of_a_pixel_is_closed_and_a_wide_one_is_not():
    mask = np.zeros((7, 20), bool)
    mask[:, :5], mask[:, 6:10], mask[:, 17:] = True, True, True
    closed = bridge(mask)
    assert closed[3, 5]
    assert not closed[:, 12:15].any()
    assert closed[mask].all()
