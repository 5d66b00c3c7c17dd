"""Regions cover an image, fit the memory, and keep all workers busy."""

import math

import numpy as np
import pytest

from unet_napari.cluster.regions import cut_regions
from unet_napari.inference.tiles import Grid

FLAT = Grid((8, 8), (40, 40), (0, 0), (0, 0))
DEEP = Grid((2, 8, 8), (8, 40, 40), (0, 0, 0), (0, 0, 0))
MUCH = 10**12


@pytest.mark.parametrize(
    ("shape", "grid", "threads"),
    [((3000, 2500), FLAT, 4), ((90, 900, 1000), DEEP, 3), ((50, 60), FLAT, 8)],
)
def test_every_pixel_is_in_one_region(shape, grid, threads):
    cut = cut_regions(shape, grid, 1, threads, MUCH)
    seen = np.zeros(shape, np.uint8)
    for box in cut.boxes:
        seen[box.to_slices()] += 1
        outer = cut.outer(box)
        for axis, stride in enumerate(grid.stride):
            assert outer.start[axis] % stride == 0
            assert box.start[axis] % cut.chunk[axis] == 0
            assert outer.start[axis] in (0, box.start[axis] - cut.context[axis])
            assert box.start[axis] - outer.start[axis] in (0, cut.context[axis])
    assert (seen == 1).all()
    assert len(cut.boxes) == cut.count
    assert cut.largest == max(cut.outer(box).size for box in cut.boxes)


def test_a_margin_belongs_to_the_context():
    grid = Grid((8, 8), (40, 40), (20, 20), (4, 4))
    assert cut_regions((3000, 2500), grid, 1, 2, MUCH).context == (64, 64)


def test_two_workers_get_halves_and_a_single_one_all():
    assert cut_regions((4096, 1024), FLAT, 1, 1, MUCH).count == 1
    cut = cut_regions((4096, 1024), FLAT, 1, 2, MUCH)
    assert cut.duration(1, 2) < 1.03 * 4096 * 1024 / 2


def test_what_does_not_fit_the_memory_is_cut_further():
    most = 64 * 400 * 400
    cut = cut_regions((512, 2048, 2048), DEEP, 1, 1, most)
    assert cut.largest <= most
    assert cut.count >= 512 * 2048 * 2048 / most


def test_frames_of_a_film_need_no_cut():
    assert cut_regions((1024, 1024), FLAT, 40, 4, MUCH).count == 1


def test_a_thousand_workers_share_ten_terabytes():
    shape = (20480, 22528, 22528)
    cut = cut_regions(shape, DEEP, 1, 1000, 2**28)
    ideal = math.prod(shape) / 1000
    assert cut.duration(1, 1000) < 1.4 * ideal
