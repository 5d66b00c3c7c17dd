"""Cells in 3D from the maps of single slices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from unet_napari.tasks import CellsTask, SemanticTask
from unet_napari.tasks.decoding.blocks import Blocks
from unet_napari.tasks.decoding.decode import pack
from unet_napari.tasks.decoding.stack import StackScale, _SmoothedMaps

TASK = CellsTask(foreground_threshold=0.6, seed_threshold=0.8, min_size=25)


def balls(shape, centres, radius, spacing):
    """Return labels of balls, `spacing` pixels from slice to slice."""
    grid = np.indices(shape).astype(float)
    labels = np.zeros(shape, np.uint32)
    for number, centre in enumerate(centres, start=1):
        away = sum((step * (axis - c)) ** 2 for step, axis, c in
                   zip((spacing, 1, 1), grid, centre, strict=True))  # fmt: skip
        labels[away < radius**2] = number
    return labels


def maps_of(labels):
    """Return what a perfect 2D network says of the slices: outlines above each other are one."""
    foreground = labels > 0
    distance = np.zeros(labels.shape)
    for plane, deep in zip(foreground, distance, strict=True):
        pieces, count = ndimage.label(plane)
        depth = ndimage.distance_transform_edt(np.pad(plane, 1))[1:-1, 1:-1]
        for piece in range(1, count + 1):
            inside = pieces == piece
            deep[inside] = depth[inside] / depth[inside].max()
    return pack(np.stack([foreground.astype(float), (foreground & (distance < 0.2)), distance]))


def decoded(packed, scale, task=TASK, blocks=None, first_id=1):
    out = np.full(packed.shape[1:], 2**32 - 1, np.uint32)
    decoder = task.stack_decoder(scale)
    steps = list(
        decoder.decode_steps(packed, np.empty_like(out), out, blocks or Blocks(), first_id)
    )
    assert steps[-1][0] == steps[-1][1]
    return out


def overlap(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


@pytest.mark.parametrize("spacing", [1.0, 2.0, 4.0])
def test_cells_on_top_of_each_other_are_two(spacing):
    depth = round(48 / spacing)
    low, high = 15 / spacing, 33 / spacing
    true = balls((depth, 40, 40), [(low, 20, 20), (high, 20, 20)], 10, spacing)
    packed = maps_of(true)
    assert ndimage.label(packed[0] > 0)[1] == 1  # nothing lies between them
    found = decoded(packed, StackScale(20.0, spacing))
    assert sorted(np.unique(found)) == [0, 1, 2]
    for number in (1, 2):
        assert overlap(found == number, true == number) > 0.8


def test_an_outline_of_one_cell_in_every_slice_is_one_cell():
    true = balls((24, 40, 40), [(12, 20, 20)], 12, 1.0)
    found = decoded(maps_of(true), StackScale(24.0, 1.0), first_id=7)
    assert sorted(np.unique(found)) == [0, 7]
    assert overlap(found > 0, true > 0) > 0.85


def test_what_is_smaller_than_a_ball_of_the_smallest_outline_is_dropped():
    """25 pixels are the largest outline of a ball of 94 voxels."""
    bar = np.zeros((3, 12, 24, 24), np.uint8)
    bar[0, 2:9, 9:14, 9:12] = bar[2, 2:9, 9:14, 9:12] = 255  # 7 x 5 x 3 = 105 voxels
    scale = StackScale(4.0, 1.0)
    count = np.count_nonzero(decoded(bar, scale, CellsTask(min_size=0)))
    smallest = (count / (4 / (3 * np.sqrt(np.pi)))) ** (2 / 3)
    assert decoded(bar, scale, CellsTask(min_size=int(smallest))).any()
    assert not decoded(bar, scale, CellsTask(min_size=int(smallest) + 1)).any()


@settings(max_examples=12, deadline=None)
@given(
    st.tuples(st.integers(1, 12), st.integers(1, 20), st.integers(1, 20)),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 40, 300, 2500]),
    st.floats(2, 16),
    st.floats(0.5, 8),
)
def test_labels_do_not_depend_on_the_blocks(shape, seed, voxels, diameter, spacing):
    rng = np.random.default_rng(seed)
    maps = [ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(0, 2)) for _ in range(3)]
    packed = pack(np.clip(np.stack(maps) / (np.std(maps) + 1e-9) * 0.3 + 0.5, 0, 1))
    scale, task = StackScale(diameter, spacing), CellsTask(min_size=2)
    whole = decoded(packed, scale, task)
    blocks = Blocks(max(voxels, int(np.prod(shape)) // 20), 2**23, threads=1 + seed % 2)
    np.testing.assert_array_equal(decoded(packed, scale, task, blocks), whole)


def test_a_part_of_the_smoothed_maps_is_that_of_the_whole():
    packed = np.random.default_rng(0).integers(0, 256, (3, 20, 50, 60)).astype(np.uint8)
    maps = _SmoothedMaps(packed, StackScale(20.0, 2.0))
    whole = maps[(slice(0, 3), slice(0, 20), slice(0, 50), slice(0, 60))]
    part = (slice(0, 3), slice(7, 9), slice(20, 50), slice(31, 32))
    np.testing.assert_array_equal(maps[part], whole[part])
    np.testing.assert_array_equal(maps[(slice(1, 2), *part[1:])], whole[(slice(1, 2), *part[1:])])
    assert (whole[2] >= whole[1]).all()
    deep = ndimage.gaussian_filter(packed[0] * (packed[2] / 255), (1.5, 3, 3))
    np.testing.assert_allclose(whole[1], deep, atol=0.51)
    with pytest.raises(TypeError):
        maps[part] = 0


def test_classes_are_not_joined():
    assert SemanticTask().stack_decoder(StackScale(20.0, 1.0)) is None
