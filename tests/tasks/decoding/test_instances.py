"""Objects found block by block are those found at once."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import watershed

from decoded_blobs import noise, objects
from unet_napari.tasks.decoding.blocks import (
    Blocks,
)
from unet_napari.tasks.decoding.decode import CellRule, pack

shapes = st.one_of(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)),
)


rules = st.builds(
    CellRule,
    st.floats(0.2, 0.7),
    st.floats(0.1, 0.7),
    st.integers(0, 30),
    st.sampled_from([0, 0.4, 0.5, 0.6, 1]),
)


@settings(max_examples=40, deadline=None)
@given(
    shape=shapes, rule=rules, seed=st.integers(0, 2**16), smooth=st.floats(0, 3),
    levels=st.sampled_from([3, 8, 255]), voxels=st.integers(20, 2000), threads=st.integers(1, 2),
    context=st.sampled_from([1, 8]),
)  # fmt: skip
def test_blocks_change_nothing(shape, rule, seed, smooth, levels, voxels, threads, context):
    maps = noise(shape, seed, smooth, levels)
    whole = objects(maps, rule)
    with patch(
        "unet_napari.tasks.decoding.block_work._FIRST_CONTEXT", context
    ):  # with 1, doubt is the rule
        labels = objects(maps, rule, Blocks(voxels, threads=threads))
    np.testing.assert_array_equal(labels, whole)
    ids = np.unique(whole)
    assert ids[ids > 0].tolist() == list(range(1, np.count_nonzero(ids) + 1))


@settings(max_examples=15, deadline=None)
@given(shape=shapes, seed=st.integers(0, 2**16), voxels=st.integers(20, 2000))
def test_objects_are_those_of_a_watershed_of_the_whole_image(shape, seed, voxels):
    maps = noise(shape, seed, 2.0, 255)
    rule = CellRule(0.5, 0.4, 0)
    found = objects(maps, rule, Blocks(voxels))
    seeds, count = ndimage.label(rule.seeds(maps))
    reference = watershed(rule.relief(maps), seeds, mask=rule.mask(maps))
    assert found.max() == count
    numbers = np.array(
        [0, *(found.flat[np.flatnonzero(seeds == i)[0]] for i in range(1, count + 1))]
    )
    np.testing.assert_array_equal(numbers[seeds][seeds > 0], found[seeds > 0])
    # Ties may fall either way, and holes are filled here.
    solid = reference > 0
    assert (found[solid] > 0).all()
    for pixel in np.argwhere(solid & (numbers[reference] != found)):
        ids = numbers[seeds]
        assert found[tuple(pixel)] in reached_first(ids, rule.relief(maps), solid, tuple(pixel))


@settings(max_examples=15, deadline=None)
@given(
    shape=shapes, seed=st.integers(0, 2**16), voxels=st.integers(20, 2000),
    weakest=st.sampled_from([0.3, 0.4, 0.5, 0.6, 1]),
)  # fmt: skip
def test_cells_with_a_weak_boundary_between_them_are_one(shape, seed, voxels, weakest):
    maps = noise(shape, seed, 2.0, 255)
    apart = objects(maps, CellRule(0.4, 0.4, 0))
    found = objects(maps, CellRule(0.4, 0.4, 0, weakest), Blocks(voxels))
    solid = maps[0] > int(0.4 * 255)  # without the holes, which are filled in the end
    between = {}
    for axis in range(len(shape)):
        pixels = np.argwhere(np.take(np.ones(shape, bool), range(1, shape[axis]), axis))
        for here in map(tuple, pixels):
            there = tuple(n + (a == axis) for a, n in enumerate(here))
            pair = tuple(sorted((int(apart[here]), int(apart[there]))))
            if solid[here] and solid[there] and pair[0] and pair[0] != pair[1]:
                between.setdefault(pair, []).append(max(maps[1][here], maps[1][there]))
    group = {int(i): int(i) for i in np.unique(apart)}
    for (first, second), heights in between.items():
        if np.mean(heights) < 255 * weakest:
            old, new = group[second], group[first]
            group = {i: new if g == old else g for i, g in group.items()}
    expected = np.vectorize(group.get, otypes=[int])(apart) * solid
    pairs = {(e, f) for e, f in zip(expected[solid].tolist(), found[solid].tolist(), strict=True)}
    assert len(pairs) == len({e for e, _ in pairs}) == len({f for _, f in pairs})


def test_a_cut_counts_across_the_blocks_and_its_cells_get_one_size_and_one_number():
    maps = np.zeros((3, 12, 40), np.uint8)
    maps[0, 2:10, 2:38] = 255
    maps[2, 2:10, [4, 20, 35]] = 255  # three seeds
    maps[1, 2:10, [11, 12]] = 60
    maps[1, 2:10, [27, 28]] = 200
    for voxels in (2**20, 30):
        apart = objects(maps, CellRule(0.5, 0.4, 0), Blocks(voxels))
        assert apart.max() == 3
        labels = objects(maps, CellRule(0.5, 0.4, 0, 0.5), Blocks(voxels))
        np.testing.assert_array_equal(labels, np.array([0, 1, 1, 2], np.uint32)[apart])
        # Too small alone, large enough together.
        labels = objects(maps, CellRule(0.5, 0.4, 150, 0.5), Blocks(voxels), first_id=7)
        np.testing.assert_array_equal(labels, np.array([0, 7, 7, 0], np.uint32)[apart])


def reached_first(ids, relief, mask, pixel):
    """Return the seeds that reach a pixel across the lowest ridge: more than one is a tie."""
    for level in np.unique(relief[mask]):
        parts = ndimage.label((mask & (relief <= level)) | (ids > 0))[0]
        if parts[pixel]:
            found = set(np.unique(ids[parts == parts[pixel]])) - {0}
            if found:
                return found
    return set()


@pytest.mark.parametrize("shape", [(60, 60), (20, 24, 24)])
def test_a_snake_through_all_blocks_has_one_id(shape):
    maps = np.zeros((3, *shape), np.uint8)
    maps[2] = 255
    rows = maps[0].reshape(-1, shape[-1])
    rows[::2] = 255
    rows[1::4, -1] = rows[3::4, 0] = 255
    if len(shape) == 3:
        maps[0, 1::2] = 0
        maps[0, 1::4, -1, -1] = maps[0, 3::4, 0, 0] = 255
        maps[0, ::2, -1] = 255
    parts = ndimage.label(maps[0])[1]
    labels = objects(maps, CellRule(0.5, 0.4, 0), Blocks(50))
    assert labels.max() == parts
    largest = np.bincount(labels[labels > 0]).max()
    assert largest > maps[0].astype(bool).sum() / 12


def test_tissue_without_any_background():
    rng = np.random.default_rng(0)
    seeds = np.zeros((90, 90), int)
    seeds[tuple(rng.integers(0, 90, (2, 60)))] = 1
    distance = ndimage.distance_transform_edt(seeds == 0)
    boundary = np.clip(distance / 8, 0, 1)
    maps = pack(np.stack([np.ones((90, 90)), boundary, 1 - boundary]))
    rule = CellRule(0.5, 0.8, 0)
    whole = objects(maps, rule)
    assert whole.min() == 1
    np.testing.assert_array_equal(objects(maps, rule, Blocks(300)), whole)


def test_a_hole_across_the_blocks_is_filled_if_one_object_encloses_it():
    maps = np.zeros((3, 80, 80), np.uint8)
    maps[2] = 255
    maps[0, 5:75, 5:75] = 255
    maps[0, 15:65, 15:65] = 0
    maps[0, 30:40, 30:40] = 255  # another object within
    rule = CellRule(0.5, 0.4, 0)
    labels = objects(maps, rule, Blocks(100))
    assert np.count_nonzero(labels == 1) == 70**2 - 50**2
    labels = objects(maps, CellRule(0.5, 0.4, 200), Blocks(100))
    assert np.count_nonzero(labels == 1) == 70**2  # the other one was too small


def test_a_size_is_that_of_the_object_not_of_its_part_in_a_block():
    maps = np.zeros((3, 8, 64), np.uint8)
    maps[2] = 255
    maps[0, 4, :] = 255
    maps[0, 1, :10] = 255
    labels = objects(maps, CellRule(0.5, 0.4, 60), Blocks(32))
    assert labels.max() == 1
    assert labels[4].all()


def test_ids_begin_where_asked():
    maps = np.zeros((3, 9, 30), np.uint8)
    maps[2] = 255
    maps[0, 2:7, [3, 4, 5, 20, 21]] = 255
    assert np.unique(objects(maps, CellRule(0.5, 0.4, 0), first_id=8)).tolist() == [0, 8, 9]
