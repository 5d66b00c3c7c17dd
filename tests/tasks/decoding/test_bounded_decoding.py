"""Decoding takes bounded memory and work, and gives real cells whole."""

import itertools

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from decoded_blobs import noise, objects
from unet_napari.geometry import Box
from unet_napari.tasks import CellsTask
from unet_napari.tasks.decoding.blocks import (
    Blocks,
    block_shape,
    cover,
    in_threads,
)
from unet_napari.tasks.decoding.decode import CellRule


class Watched:
    """Maps that note how many pixels are asked for."""

    def __init__(self, array):
        self.array, self.shape, self.most, self.all = array, array.shape, 0, 0

    def __getitem__(self, key):
        part = self.array[key]
        self.most = max(self.most, part[0].size)
        self.all += part[0].size
        return part


@pytest.mark.parametrize("threshold", [0.3, 0.7, 0.99])
def test_work_and_memory_are_bounded_whatever_the_maps(threshold):
    maps = noise((300, 300), 0, 2.0, 255)
    maps[0] = 255  # all is foreground; with a high threshold hardly anything is a seed
    watched = Watched(maps)
    labels = objects(watched, CellRule(0.5, threshold, 0), Blocks(1024, largest=9000))
    assert watched.most <= 9000
    # Blocks with surroundings of 8, of 32, and perhaps of so many again without doubt.
    assert watched.all <= 100 * (1000 + 46**2 + 2 * 9000)
    if labels.max():
        assert (labels > 0).mean() > 0.3


def test_with_little_room_objects_are_the_same_where_seeds_are_near():
    maps = noise((200, 200), 3, 2.0, 255)
    rule = CellRule(0.5, 0.4, 0)
    near = ndimage.distance_transform_edt(~rule.seeds(maps)) < 8
    maps[0] *= near
    whole = objects(maps, rule)
    assert whole.max() > 50
    np.testing.assert_array_equal(objects(maps, rule, Blocks(1600, largest=6000)), whole)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.sampled_from([(300, 400), (60, 70, 80)]), seed=st.integers(0, 2**16),
    groups=st.integers(0, 9), context=st.sampled_from([1, 8, 64]),
)  # fmt: skip
def test_boxes_cover_all_pixels_and_cost_no_more_than_one(shape, seed, groups, context):
    rng = np.random.default_rng(seed)
    middles = rng.uniform(0, shape, (groups, len(shape)))
    pixels = (middles[:, None] + rng.normal(0, 3, (groups, 20, len(shape)))).reshape(-1, len(shape))
    pixels = np.clip(pixels.astype(np.intp), 0, np.array(shape) - 1)
    boxes = cover(pixels, context, shape)
    covered = np.zeros(shape, bool)
    for box in boxes:
        covered[box.to_slices()] = True
    assert covered[tuple(pixels.T)].all()
    if groups:
        one = Box(tuple(pixels.min(axis=0)), tuple(pixels.max(axis=0) + 1))
        costs = [box.grow(context).clip(shape).size for box in (one, *boxes)]
        assert sum(costs[1:]) <= costs[0]
    else:
        assert boxes == []


def test_pixels_far_apart_are_in_boxes_of_their_own():
    pixels = np.array([[0, 0], [2, 1], [0, 3999], [3999, 0]])
    assert cover(pixels, 100, (4000, 4000)) == [
        Box((0, 0), (25, 25)),
        Box((0, 3975), (25, 4000)),
        Box((3975, 0), (4000, 25)),
    ]
    # Thin ones cost less than many.
    assert cover(pixels[:3], 1, (4000, 4000)) == [Box((0, 0), (3, 4000))]


def test_blocks_are_multiples_of_chunks():
    assert block_shape((1000, 4096, 4096), 2**20, (16, 256, 256)) == (16, 256, 256)
    assert block_shape((100, 4096, 4096), 2**23, (16, 256, 256)) == (100, 256, 256)
    assert block_shape((3, 4), 100) == (3, 4)
    assert block_shape((3, 4), 1) == (1, 1)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_keep_the_order_and_stop_with_their_user(threads):
    assert list(in_threads(lambda box: box, range(20), threads)) == list(range(20))
    begun = []
    steps = in_threads(begun.append, itertools.count(), threads)
    next(steps)
    steps.close()
    assert len(begun) <= 2 * threads + 1


@pytest.mark.parametrize(
    ("pattern", "part"),
    [("neuroproof_em3d/labels/*", (32, 120, 120)), ("bbbc050/train/labels/*", (51, 124, 127))],
)
def test_real_cells_are_the_same_from_1_8_and_64_blocks(shared_data, pattern, part):
    volume = tifffile.imread(sorted(shared_data.glob(pattern))[0])
    middle = [
        slice((n - p) // 2, (n - p) // 2 + p) for n, p in zip(volume.shape, part, strict=True)
    ]
    labels = volume[tuple(middle)]
    assert np.unique(labels).size > 5
    task = CellsTask()
    everywhere = torch.ones((1, *part), dtype=torch.bool)
    target = task.encode(torch.from_numpy(labels.astype(np.int64))[None], everywhere).values[0]
    doubt = ndimage.gaussian_filter(
        np.random.default_rng(0).normal(size=target.shape), (0, 1, 2, 2)
    )
    maps = ndimage.gaussian_filter(target.numpy(), (0, 0.5, 1, 1)) + 0.08 / doubt.std() * doubt
    maps = task.pack(np.clip(maps, 0, 1))
    rule = CellRule(task.foreground_threshold, task.seed_threshold, 20)
    whole = objects(maps, rule)
    assert whole.max() > 3
    for count in (8, 64):
        blocks = Blocks(whole.size // count)
        assert len(Box.whole(part).blocks(block_shape(part, blocks.voxels))) >= count
        np.testing.assert_array_equal(objects(maps, rule, blocks), whole)
