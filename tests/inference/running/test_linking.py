"""Numbers that objects keep over time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.inference.running import linking
from unet_napari.inference.running.linking import Links


def linked(frames):
    """Return frames renumbered one after the other."""
    links = Links(np.full(frames[0].shape, 77, np.uint32))
    result = []
    for frame in frames:
        labels = np.array(frame, np.uint32)
        boxes = list(links.renumber(labels))
        assert sum(box.size for box in boxes) == labels.size
        result.append(labels)
    return np.stack(result)


def row(*runs):
    """Return one row of labels: pairs of a number and how many pixels it has."""
    return np.concatenate([np.full(count, number, np.uint32) for number, count in runs])[np.newaxis]


def test_an_object_that_moves_keeps_its_number():
    frames = [row((1, 4), (0, 4), (2, 4)), row((0, 1), (1, 4), (0, 4), (2, 3)),
              row((0, 2), (1, 4), (0, 6))]  # fmt: skip
    found = linked(frames)
    np.testing.assert_array_equal(found, frames)
    swapped = [frames[0], np.choose(frames[1], [0, 2, 1]), frames[2]]
    np.testing.assert_array_equal(linked(swapped), frames)


def test_a_new_object_gets_a_number_that_was_never_there():
    frames = [row((1, 4), (0, 4), (2, 4)), row((0, 8), (1, 4)), row((1, 4), (0, 4), (2, 4))]
    expected = [frames[0], row((0, 8), (2, 4)), row((3, 4), (0, 4), (2, 4))]
    np.testing.assert_array_equal(linked(frames), expected)


def test_of_two_halves_the_larger_keeps_the_number():
    frames = [row((1, 10)), row((1, 4), (2, 6)), row((1, 10))]
    np.testing.assert_array_equal(linked(frames), [row((1, 10)), row((2, 4), (1, 6)), row((1, 10))])
    equal = [row((1, 10)), row((1, 5), (2, 5))]
    np.testing.assert_array_equal(linked(equal), [row((1, 10)), row((1, 5), (2, 5))])


@pytest.mark.parametrize(("shared", "kept"), [(3, False), (4, True)])
def test_a_quarter_of_the_union_is_enough(shared, kept):
    """4 of 16 pixels are a quarter; 3 of 17 are not."""
    frames = [row((1, 10), (0, 10)), row((0, 10 - shared), (1, 10), (0, shared))]
    assert linked(frames)[1].max() == (1 if kept else 2)


def test_a_frame_without_objects_ends_all_numbers():
    frames = [row((1, 4)), row((0, 4)), row((1, 4))]
    np.testing.assert_array_equal(linked(frames), [row((1, 4)), row((0, 4)), row((2, 4))])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_every_object_has_one_number_whatever_is_looked_at_a_time(seed, at_once):
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(4):
        ids = np.kron(rng.integers(0, 5, (3, 4)), np.ones((3, 2), int))
        frames.append(np.unique(ids, return_inverse=True)[1].reshape(ids.shape))
        if not (ids == 0).any():
            frames[-1] += 1
    whole = linked(frames)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linking, "_AT_ONCE", at_once)
        np.testing.assert_array_equal(linked(frames), whole)
    for labels, frame in zip(whole, frames, strict=True):
        pairs = {(int(a), int(b)) for a, b in zip(labels.flat, frame.flat, strict=True)}
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
        assert ((labels == 0) == (frame == 0)).all()
