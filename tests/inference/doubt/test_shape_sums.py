"""Sums over the pixels of objects: the same whatever the blocks are."""

import numpy as np
import pytest

from unet_napari.geometry import Box
from unet_napari.inference.doubt.shape_sums import ShapeSums


def gathered(ids, maps=None, painted=None, block=None):
    maps = np.zeros((3, *ids.shape), np.uint8) if maps is None else maps
    sums = ShapeSums(int(ids.max()), ids.shape)
    for box in Box.whole(ids.shape).blocks(block or ids.shape):
        part = box.to_slices()
        known = None if painted is None else painted[part]
        sums.add(box, ids[part], maps[:, *part], known)
    return sums


def disc(radius, size=64):
    y, x = np.indices((size, size)) - size / 2
    return (y**2 + x**2 < radius**2).astype(np.uint32)


def test_sizes_centres_and_borders():
    ids = np.zeros((10, 12), np.uint32)
    ids[0:3, 2:6], ids[5:8, 4:9] = 1, 3
    sums = gathered(ids)
    assert sums.size.tolist() == [0, 12, 0, 15]
    assert sums.centre[1].tolist() == [1.0, 3.5]
    assert sums.at_border.tolist() == [False, True, False, False]


def test_a_disc_an_ellipse_and_a_ball_are_full_and_a_dumbbell_is_not():
    assert gathered(disc(20)).fill[1] == pytest.approx(1, abs=0.01)
    long = np.repeat(disc(20), 3, axis=1)
    assert gathered(long).fill[1] == pytest.approx(1, abs=0.01)
    z, y, x = np.indices((31, 31, 31)) - 15
    ball = (z**2 + y**2 + x**2 < 144).astype(np.uint32)
    assert gathered(ball).fill[1] == pytest.approx(1, abs=0.01)
    dumbbell = np.hstack([disc(12, 26), disc(12, 26)])
    dumbbell[12:14, 20:32] = 1
    assert gathered(dumbbell).fill[1] < 0.9


def test_an_object_of_one_plane_in_a_volume_is_as_round_as_it_is_in_the_plane():
    assert gathered(disc(20)[None]).fill[1] == pytest.approx(1, abs=0.01)


def test_maps_and_paint_are_averaged_and_the_deepest_pixel_is_found():
    ids = np.zeros((6, 6), np.uint32)
    ids[1:5, 1:5] = 1
    maps = np.zeros((3, 6, 6), np.uint8)
    maps[0] = 255
    maps[2, 3, 2] = 200
    painted = np.zeros(ids.shape, bool)
    painted[1:3, 1:5] = True
    sums = gathered(ids, maps, painted)
    assert sums.unsure[1] == 0
    assert sums.painted[1] == 0.5
    assert sums.deepest[1].tolist() == [3, 2]
    maps[0] = 128
    assert gathered(ids, maps).unsure[1] == pytest.approx(1, abs=0.01)


def test_an_object_without_depth_has_a_pixel_of_its_own_all_the_same():
    ids = np.zeros((8, 8), np.uint32)
    ids[5:7, 5:7] = 1
    assert ids[tuple(gathered(ids).deepest[1])] == 1


@pytest.mark.parametrize("block", [(7, 5), (1, 30), (16, 16)])
def test_the_blocks_do_not_matter(block):
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 5, (30, 30)).astype(np.uint32)
    maps = rng.integers(0, 256, (3, 30, 30)).astype(np.uint8)
    painted = rng.random((30, 30)) > 0.5
    whole, cut = gathered(ids, maps, painted), gathered(ids, maps, painted, block)
    for name in ("size", "unsure", "painted", "depth", "centre", "fill", "at_border"):
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), err_msg=name)
    assert all(ids[tuple(cut.deepest[i])] == i for i in range(1, 5))
