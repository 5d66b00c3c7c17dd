"""Components of blocks become those of the whole array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from unet_napari.errors import ResourceError
from unet_napari.geometry import Box
from unet_napari.tasks.decoding.components import Components, labelled, pairs_across, touching


@settings(max_examples=40, deadline=None)
@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 30), st.integers(1, 30)),
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    ),
    seed=st.integers(0, 2**16), share=st.floats(0, 1), size=st.integers(1, 12),
    above=st.sampled_from([0, 5]),
)  # fmt: skip
def test_joined_blocks_hold_the_components_of_the_whole(shape, seed, share, size, above):
    mask = np.random.default_rng(seed).random(shape) < share
    store = np.where(mask, 0, above).astype(np.uint32)  # what is not above it is no component
    components = Components(2**31 - 1)
    boxes = Box.whole(shape).blocks((size,) * len(shape))
    for box in boxes:
        index = box.to_slices()
        labels, count = labelled(mask[index])
        offset = components.take(count)
        assert labels.max(initial=0) == count
        store[index][mask[index]] = labels[mask[index]] + offset + above
    for box in boxes:
        components.join(pairs_across(store, box, above))
    joined = np.zeros(shape, np.int64)
    joined[mask] = components.roots()[store[mask] - above]
    expected, count = ndimage.label(mask)
    pairs = np.unique(np.stack([expected[mask], joined[mask]]), axis=1)
    assert pairs.shape[1] == np.unique(pairs[1]).size == count


def test_more_pieces_than_numbers_are_refused():
    components = Components(3)
    components.take(3)
    with pytest.raises(ResourceError, match="noise"):
        components.take(1)


@settings(max_examples=40, deadline=None)
@given(shape=st.sampled_from([(7,), (5, 6), (3, 4, 5)]), seed=st.integers(0, 2**16))
def test_touching_finds_every_pair_of_neighbours(shape, seed):
    rng = np.random.default_rng(seed)
    inner = rng.integers(0, 4, shape).astype(np.uint32)
    outer = np.where(inner > 0, 0, rng.integers(0, 4, shape)).astype(np.uint32)
    inner[rng.random(shape) < 0.2] = 0
    expected = {
        (int(inner[tuple(a)]), int(outer[tuple(b)]))
        for a in np.argwhere(inner)
        for b in np.argwhere(outer)
        if np.abs(a - b).sum() == 1
    }
    found = np.stack(touching(inner, outer), axis=1).tolist()
    assert {tuple(pair) for pair in found} == expected
