"""A part that is segmented again replaces whole objects and leaves the others alone."""

import numpy as np
import pytest

from unet_napari.inference.regions.renewal import renew


def squares(*boxes, shape=(40, 40)):
    labels = np.zeros(shape, np.uint32)
    for number, (top, left, size) in enumerate(boxes, start=1):
        labels[top : top + size, left : left + size] = number
    return labels


# Four squares; the part is rows and columns 10 to 30, and is looked at with 8 pixels around.
ALL = squares((2, 2, 6), (8, 8, 6), (15, 15, 6), (27, 20, 8))
WINDOW = (slice(2, 38), slice(2, 38))
INNER = (slice(8, 28), slice(8, 28))


def found_anew(labels):
    """Number what lies in the window as the engine does, from 1."""
    return np.unique(labels[WINDOW], return_inverse=True)[1].reshape(36, 36).astype(np.uint32)


def test_what_is_found_again_changes_nothing():
    labels = ALL.copy()
    renewed = renew(labels, WINDOW, INNER, found_anew(ALL), 4)
    np.testing.assert_array_equal(labels, ALL)
    assert (renewed.ids, renewed.gone, renewed.highest) == ({2, 3, 4}, set(), 4)
    assert renewed.window == WINDOW


def test_a_first_part_gets_whole_objects():
    labels = np.zeros_like(ALL)
    renewed = renew(labels, WINDOW, INNER, found_anew(ALL), 0)
    np.testing.assert_array_equal(labels > 0, ALL > 1)
    assert renewed.ids == {2, 3, 4}


def test_an_object_that_is_not_found_any_more_goes_as_a_whole():
    labels = ALL.copy()
    renewed = renew(labels, WINDOW, INNER, np.zeros((36, 36), np.uint32), 4)
    assert set(np.unique(labels)) == {0, 1}
    assert renewed.gone == {2, 3, 4}


def test_new_objects_get_numbers_that_nobody_has():
    labels = ALL.copy()
    more = ALL.copy()
    more[24:26, 10:14] = 9
    renewed = renew(labels, WINDOW, INNER, found_anew(more), 70)
    (number,) = np.unique(labels[24:26, 10:14])
    assert 70 < number == renewed.highest
    assert number in renewed.ids


def test_an_object_that_has_moved_across_the_border_is_neither_lost_nor_doubled():
    for before, after in ((10, 30), (30, 10), (29, 31), (31, 29)):
        labels = squares((before, 15, 6), shape=(60, 40))
        window, inner = (slice(0, 38), slice(0, 40)), (slice(0, 30), slice(0, 40))
        moved = squares((after, 15, 6), shape=(60, 40))[window]
        renew(labels, window, inner, moved, 1)
        assert len(np.unique(labels)) <= 3
        if abs(before - after) == 2:
            assert np.unique(labels).tolist() == [0, 1]
            assert np.count_nonzero(labels) == 36


@pytest.mark.parametrize(("top", "size", "pixels"), [(29, 6, 36), (27, 10, 100)])
def test_what_is_an_object_outside_is_left_out_and_what_is_larger_takes_its_place(
    top, size, pixels
):
    labels = squares((31, 5, 6))
    renew(labels, WINDOW, INNER, squares((top, 5, size))[WINDOW], 1)
    assert np.unique(labels).tolist() == [0, 1]
    assert np.count_nonzero(labels) == pixels


@pytest.mark.parametrize("cut", [True, False])
def test_an_object_larger_than_what_was_looked_at_stays_one_or_goes_whole(cut):
    labels = squares(shape=(40, 200))
    labels[15:20, 10:190] = 5
    window, inner = (slice(0, 40), slice(60, 100)), (slice(8, 28), slice(8, 28))
    found = (labels[window] > 0).astype(np.uint32)
    if not cut:
        found[:, :10] = found[:, 30:] = 0
    renewed = renew(labels, window, inner, found, 5)
    assert np.unique(labels).tolist() == [0, 5]
    assert np.count_nonzero(labels) == 5 * (180 if cut else 20)
    assert renewed.window == ((slice(0, 40), slice(0, 200)) if cut else window)


def test_two_overlapping_parts_make_one_object_of_one():
    true = squares((10, 10, 14))
    labels = np.zeros_like(true)
    for left, right in ((0, 18), (14, 40)):
        window = (slice(0, 40), slice(max(0, left - 12), min(40, right + 12)))
        inner = (slice(0, 40), slice(left - window[1].start, right - window[1].start))
        highest = int(labels.max())
        renew(labels, window, inner, true[window], highest)
    np.testing.assert_array_equal(labels, true)


def test_volumes_are_renewed_as_planes_are():
    labels = np.zeros((9, 20, 20), np.uint32)
    labels[2:7, 5:10, 5:10] = 3
    window = (slice(0, 9), slice(0, 15), slice(0, 20))
    inner = (slice(0, 9), slice(0, 7), slice(0, 20))
    renew(labels, window, inner, (labels[window] > 0).astype(np.uint32), 3)
    assert np.count_nonzero(labels == 3) == 125
