"""What becomes of objects in another segmentation of the same image."""

import numpy as np
import pytest

from unet_napari.inference.doubt.overlaps import Overlaps


def fate(first, second, count=None):
    overlaps = Overlaps()
    for row in range(0, len(first), 3):  # in blocks
        overlaps.add(first[row : row + 3], second[row : row + 3])
    return overlaps.fate(int(first.max()) if count is None else count)


@pytest.fixture
def two():
    labels = np.zeros((10, 30), np.uint32)
    labels[2:8, 2:12], labels[2:8, 14:24] = 1, 2
    return labels


def test_the_same_objects_stay_what_they_are(two):
    found = fate(two, two[:, :] * 7)
    assert found.iou.tolist() == [0, 1, 1]
    assert not found.splits.any()
    assert not found.joins.any()
    assert not found.goes[1:].any()


def test_an_object_that_falls_into_parts(two):
    other = two.copy()
    other[2:8, 7:12] = 9
    found = fate(two, other)
    assert found.splits.tolist() == [False, True, False]
    assert found.iou[1] == 0.5


def test_a_splinter_is_no_part(two):
    other = two.copy()
    other[2, 2:10] = 9
    assert not fate(two, other).splits.any()


def test_objects_that_become_one(two):
    other = two.copy()
    other[2:8, 2:24] = 5
    found = fate(two, other)
    assert found.joins.tolist() == [False, True, True]
    assert not found.splits.any()


def test_an_object_that_goes(two):
    found = fate(two, np.where(two == 1, 0, two))
    assert found.goes.tolist()[1:] == [True, False]
    assert found.iou.tolist() == [0, 0, 1]


def test_nothing_at_all():
    nothing = np.zeros((4, 4), np.uint32)
    found = fate(nothing, nothing, count=0)
    assert found.iou.tolist() == [0]
