import numpy as np
import pytest

from unet_napari.tasks.decoding.cuts import Cuts

IDS = np.array([[1, 1, 2], [1, 3, 2], [0, 3, 2]], np.uint32)
BOUNDARY = np.array([[0, 9, 30], [40, 50, 20], [99, 10, 60]], np.uint8)
# 1 | 2: max(9, 30). 1 | 3: max(40, 50) and max(9, 50). 3 | 2: max(50, 20) and max(10, 60).


@pytest.mark.parametrize(
    ("weakest", "expected"),
    [
        (0, [0, 1, 2, 3]),
        (30, [0, 1, 2, 3]),
        (30.1, [0, 1, 1, 3]),
        (50.1, [0, 1, 1, 1]),
    ],
)
def test_the_mean_of_a_cut_decides(weakest, expected):
    cuts = Cuts()
    cuts.note(IDS, BOUNDARY, IDS.shape)
    assert cuts.one(3, weakest).tolist() == expected


def test_a_cut_may_be_seen_in_parts():
    parts = Cuts()
    for rows in (slice(0, 1), slice(1, 2), slice(2, 3)):
        outer = slice(rows.start, min(rows.stop + 1, 3))
        parts.note(IDS[outer], BOUNDARY[outer], (1, 3))
    whole = Cuts()
    whole.note(IDS, BOUNDARY, IDS.shape)
    for weakest in range(256):
        assert parts.one(3, weakest).tolist() == whole.one(3, weakest).tolist()


def test_objects_that_do_not_touch_stay_what_they_are():
    cuts = Cuts()
    assert cuts.one(2, 255).tolist() == [0, 1, 2]
    cuts.note(np.array([[1, 0, 2]], np.uint32), np.zeros((1, 3), np.uint8), (1, 3))
    assert cuts.one(2, 255).tolist() == [0, 1, 2]


def test_what_is_one_with_a_third_is_one():
    cuts = Cuts()
    cuts.note(np.array([[9, 4, 7]], np.uint32), np.zeros((1, 3), np.uint8), (1, 3))
    assert cuts.one(9, 1)[[4, 7, 9]].tolist() == [4, 4, 4]
