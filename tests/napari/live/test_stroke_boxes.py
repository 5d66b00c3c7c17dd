import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_napari._napari.live.known_paint import KnownPaint
from unet_napari._napari.live.stroke_boxes import boxes_of_item, merge
from unet_napari.geometry import Box
from unet_napari.labels.sparse import SparseArray


def box_strategy(size=3000):
    side = st.tuples(st.integers(0, size), st.integers(1, 60)).map(lambda p: (p[0], p[0] + p[1]))
    return st.tuples(side, side).map(Box.from_spans)


@given(st.lists(box_strategy(), max_size=60))
def test_merged_boxes_are_few_and_hold_all_of_the_others(boxes):
    joined = merge(boxes)
    assert len(joined) <= 16
    assert all(any(other.contains(box) for other in joined) for box in boxes)


def test_boxes_far_from_each_other_stay_apart():
    far = [Box((0, 0), (9, 9)), Box((2000, 2000), (2009, 2009))]
    assert merge(far) == far
    assert merge([far[0], Box((4, 4), (12, 12))]) == [Box((0, 0), (12, 12))]
    assert merge([Box((3, 3), (3, 9))]) == []


def test_pixels_all_over_a_stack_are_boxed_plane_by_plane():
    indices = (np.array([0, 0, 50]), np.array([0, 999, 3]), np.array([0, 999, 4]))
    item = [(indices, np.zeros(3), 1)]
    assert list(boxes_of_item(item)) == [
        Box((0, 0, 0), (1, 1000, 1000)),
        Box((50, 3, 4), (51, 4, 5)),
    ]


@pytest.mark.parametrize("kind", [np.asarray, SparseArray.of])
def test_only_what_differs_is_yielded_once(kind):
    before = np.zeros((300, 300), np.uint16)
    before[5, 5] = 3
    known = KnownPaint(kind(before))
    after = before.copy()
    after[10:14, 20:29] = 70
    after[5, 5] = 0
    boxes = [Box((0, 0), (100, 100)), Box((100, 100), (300, 300))]
    ((box, content),) = known.changes(after, boxes)
    assert box == Box((5, 5), (14, 29))
    np.testing.assert_array_equal(content, after[5:14, 5:29])
    known.learn(box, content)
    assert list(known.changes(after, boxes)) == []


def test_larger_numbers_than_before_are_kept():
    known = KnownPaint(np.zeros((30, 30), np.uint8))
    after = np.full((30, 30), 70_000, np.uint32)
    ((box, content),) = known.changes(after, [Box.whole((30, 30))])
    known.learn(box, content)
    assert list(known.changes(after, [Box.whole((30, 30))])) == []
