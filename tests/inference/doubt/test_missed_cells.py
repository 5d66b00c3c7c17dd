"""Cells that were not found, but nearly."""

import numpy as np
import pytest

from doubt_scenes import SHAPE, TASK, cell, kept_of, scene
from unet_napari.inference.doubt import view_facts
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject, runs_of
from unet_napari.inference.doubt.ranking import doubt_steps, drained

DIM = np.s_[44:56, 70:82]


def dim_scene(shape=SHAPE):
    """The usual scene with a dim cell, and a dim cross that is no cell."""
    maps = scene(shape)
    cell(maps, DIM, foreground=0.44)
    for bar in (np.s_[44:60, 39:42], np.s_[50:53, 32:49]):
        maps[0][bar], maps[2][bar] = 0.44, 1.0
    return maps


def missed(maps, **options):
    found = drained(doubt_steps(kept_of(*maps), TASK, **options))
    return [item for item in found if item.missed]


def test_a_dim_cell_is_listed_with_its_pixels():
    first, *others = missed([dim_scene()])
    inside = np.zeros(SHAPE, bool)
    inside[tuple(slice(*span) for span in first.box)] = first.mask()
    expected = np.zeros(SHAPE, bool)
    expected[DIM] = True
    np.testing.assert_array_equal(inside, expected)
    assert inside[first.point]
    assert (first.size, first.number, first.painted) == (144, 0, False)
    assert first.reason == "perhaps a missed cell, foreground 0.44"
    assert 0.6 < first.doubt < 0.8
    assert all(item.doubt < first.doubt / 4 for item in others)  # a cross is no cell
    assert missed([scene()]) == []


def test_what_is_painted_is_not_missed_and_neither_is_background():
    painted = np.zeros(SHAPE, np.uint16)
    for number in (7, 65535):
        painted[DIM] = number
        found = missed([dim_scene()], painted=painted, background=65535)
        assert all(item.doubt < 0.1 for item in found)


def test_blocks_do_not_matter(monkeypatch):
    expected = missed([dim_scene()])
    monkeypatch.setattr(view_facts, "_VOXELS", 500)
    assert missed([dim_scene()], memory=0) == expected


def test_in_a_volume_and_in_each_frame():
    volume = np.repeat(dim_scene()[:, None], 6, axis=1)
    (first, *_) = missed([volume])
    assert first.box == ((0, 6), (44, 56), (70, 82))
    assert first.size == 6 * 144
    kept = kept_of(dim_scene(), dim_scene(), leading=1)
    found = [item for item in drained(doubt_steps(kept, TASK)) if item.missed][:2]
    assert {item.box[0] for item in found} == {(0, 1), (1, 2)}
    assert {item.point[0] for item in found} == {0, 1}
    assert found[0].mask().shape == (1, 12, 12)


@pytest.mark.parametrize("seed", range(5))
def test_any_mask_is_told_by_its_runs(seed):
    mask = np.random.default_rng(seed).random((3, 5, 7)) < 0.5
    item = DoubtfulObject(
        0.5, "", 0, (0, 0, 0), missed=True, box=((2, 5), (0, 5), (1, 8)), runs=runs_of(mask)
    )
    np.testing.assert_array_equal(item.mask(), mask)
    assert runs_of(np.zeros((2, 2), bool)) == ()
