"""The watershed of one block: where a seed arrives first, and what is sure of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import watershed

from unet_napari.tasks.decoding.flood import UNKNOWN, flood


def random_maps(shape, seed, share, levels=None):
    """Return relief, mask and some seeds of one pixel; each height once, or of few levels."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    heights = 1 + rng.permutation(size) if levels is None else rng.integers(0, levels, size)
    relief = heights.astype(np.uint8).reshape(shape)
    mask = rng.random(shape) < share
    seeds = np.zeros(shape, np.uint32)
    places = rng.permutation(np.argwhere(mask))[:6]
    for number, place in enumerate(places, 1):
        # No pixel touches two of them, which would be a tie.
        if (np.abs(np.argwhere(seeds) - place).sum(axis=1) > 2).all():
            seeds[tuple(place)] = number
    relief[seeds > 0] = 0
    return relief, mask, seeds


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from([(15, 17), (6, 6, 7), (255,), (2, 127), (3, 4, 4, 5)]),
    seed=st.integers(0, 2**16), share=st.floats(0.3, 1),
)  # fmt: skip
def test_without_ties_it_is_the_watershed_of_scikit_image(shape, seed, share):
    relief, mask, seeds = random_maps(shape, seed, share)
    expected = watershed(relief, seeds.astype(np.int32), mask=mask)
    np.testing.assert_array_equal(flood(relief, mask, seeds), expected)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from([(24, 31), (9, 11, 12)]),
    seed=st.integers(0, 2**16), share=st.floats(0.5, 1), levels=st.sampled_from([1, 3, 256]),
    data=st.data(),
)  # fmt: skip
def test_what_is_sure_in_a_part_is_so_in_the_whole(shape, seed, share, levels, data):
    maps = random_maps(shape, seed, share, levels)
    ends = [sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in shape]
    part = tuple(slice(start, stop) for start, stop in ends if start < stop)
    if len(part) < len(shape):
        return
    sides = [(s.start > 0, s.stop < n) for s, n in zip(part, shape, strict=True)]
    found = flood(*(array[part] for array in maps), sides)
    sure = found != UNKNOWN
    np.testing.assert_array_equal(found[sure], flood(*maps)[part][sure])


def test_what_could_come_in_is_unknown_as_far_as_it_comes_first():
    relief = np.zeros((1, 9), np.uint8)
    mask = np.ones((1, 9), bool)
    seeds = np.zeros((1, 9), np.uint32)
    seeds[0, 0] = 7
    assert flood(relief, mask, seeds).tolist() == [[7] * 9]
    found = flood(relief, mask, seeds, [(False, False), (False, True)])
    assert found.tolist() == [[7] * 5 + [UNKNOWN] * 4]
    relief[0, 6] = 1  # a ridge: it falls to what is beside it first, and nothing crosses it
    found = flood(relief, mask, seeds, [(False, False), (False, True)])
    assert found.tolist() == [[7] * 6 + [UNKNOWN] * 3]
    relief[0, 8] = 2  # what comes in has to cross a higher one
    found = flood(relief, mask, seeds, [(False, False), (False, True)])
    assert found.tolist() == [[7] * 8 + [UNKNOWN]]
    mask[0, 6] = False
    found = flood(relief, mask, seeds, [(False, False), (False, True)])
    assert found.tolist() == [[7] * 6 + [0] + [UNKNOWN] * 2]


def test_on_a_plateau_the_nearest_seed_wins_and_a_tie_goes_to_the_one_after():
    seeds = np.zeros((3, 5), np.uint32)
    seeds[0, 0], seeds[0, 4], seeds[2, 0] = 1, 2, 3
    assert flood(np.zeros((3, 5), np.uint8), seeds >= 0, seeds).tolist() == [
        [1, 1, 2, 2, 2],
        [3, 3, 3, 2, 2],
        [3, 3, 3, 2, 2],
    ]


@pytest.mark.parametrize("levels", [1, 3])
def test_many_pixels_at_once_are_treated_like_few(levels, monkeypatch):
    maps = random_maps((20, 30), 0, 0.9, levels)
    expected = flood(*maps)
    monkeypatch.setattr("unet_napari.tasks.decoding.flood._LARGE_FRONT", 0)
    np.testing.assert_array_equal(flood(*maps), expected)


def test_nothing_to_flood_leaves_the_seeds():
    seeds = np.array([[0, 5, 5, 0]], np.uint32)
    assert flood(np.zeros((1, 4), np.uint8), seeds > 0, seeds).tolist() == [[0, 5, 5, 0]]
