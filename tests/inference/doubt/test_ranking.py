"""The ranking of the objects of a segmentation, from its kept maps."""

import numpy as np
import pytest

from doubt_scenes import SHAPE, TASK, kept_of, scene
from unet_napari.geometry import Box
from unet_napari.inference.doubt import ranking, view_facts
from unet_napari.inference.doubt.ranking import doubt_steps, drained
from unet_napari.tasks import CellsTask


def test_the_unsure_ones_come_first_with_a_reason():
    found = drained(doubt_steps(kept_of(scene()), TASK))
    assert len(found) == 12
    first = found[:2]
    points = {item.point[1] < 35 for item in first}
    assert points == {True, False}
    by_side = {item.point[1] < 35: item.reason for item in first}
    assert "foreground near one half" in by_side[False]
    assert "two seeds" in by_side[True]
    assert [item.doubt for item in found] == sorted((i.doubt for i in found), reverse=True)
    assert all(0 <= item.doubt <= 1 for item in found)
    assert found[1].doubt > 2 * found[2].doubt


def test_every_point_is_a_pixel_of_its_object():
    kept = kept_of(scene())
    labels = np.zeros(SHAPE, np.uint32)
    for _ in kept.decode(TASK, labels, 2**30):
        pass
    for item in drained(doubt_steps(kept, TASK)):
        assert labels[item.point] == item.number
        assert item.size == (labels == item.number).sum()


def test_of_a_part_the_objects_are_listed_that_have_a_pixel_in_it():
    kept = kept_of(scene(), scene(), leading=1)
    steps = doubt_steps(kept, TASK, within=Box((1, 15, 0), (2, 24, 90)), look_for_missed=False)
    found = drained(steps)
    assert sorted(item.point[0] for item in found) == [1] * 5
    assert all(4 <= item.point[1] < 16 for item in found)  # row 15 is theirs, 24 the next one's


def test_what_is_painted_is_settled_and_a_mistake_is_listed():
    painted = np.zeros(SHAPE, np.int64)
    painted[44:56, 4:30] = 2**31 - 1  # right, with a number that no table may be as long as
    painted[44:56, 50:62] = 9  # background
    painted[24:36, 72:84] = 5
    painted[46:54, 70:80] = 6  # where nothing is predicted
    painted[4:16, 4:10], painted[4:16, 10:16] = 7, 8  # two in one
    steps = doubt_steps(kept_of(scene()), TASK, painted=painted, background=9)
    found = drained(steps)
    open_ones = [item for item in found if not item.painted]
    assert len(open_ones) == 8
    mistakes = {item.number: item.reason for item in found if item.painted}
    assert mistakes == {
        6: "painted, but predicted as background",
        7: "painted as a cell, predicted as one with its neighbour",
        8: "painted as a cell, predicted as one with its neighbour",
    }
    assert all(painted[item.point] == item.number for item in found if item.painted)
    assert found[0].number == 6


def test_a_cell_painted_in_part_is_no_mistake():
    painted = np.zeros(SHAPE, np.uint16)
    painted[8:10, 8:12] = 1
    found = drained(doubt_steps(kept_of(scene()), TASK, painted=painted))
    assert not any(item.painted for item in found)
    assert len(found) == 12  # so little paint does not settle it


def test_a_painted_cell_that_falls_apart():
    maps = scene()
    painted = np.zeros(SHAPE, np.uint16)
    painted[4:16, 4:33] = 1
    found = drained(doubt_steps(kept_of(maps), TASK, painted=painted))
    (mistake,) = [item for item in found if item.painted]
    assert mistake.reason == "painted as one cell, predicted as 2"


@pytest.mark.parametrize("voxels", [500, 2**20])
def test_blocks_and_a_disk_instead_of_memory_do_not_matter(monkeypatch, voxels):
    expected = drained(doubt_steps(kept_of(scene()), TASK))
    monkeypatch.setattr(view_facts, "_VOXELS", voxels)
    assert drained(doubt_steps(kept_of(scene()), TASK, memory=0)) == expected


def test_a_volume_and_a_time_series():
    volume = np.repeat(scene()[:, None], 6, axis=1)
    volume[0, :, 48:50] = np.where(volume[0, :, 48:50] > 0, 0.5, 0)
    found = drained(doubt_steps(kept_of(volume), TASK))
    assert len(found[0].point) == 3
    frames = kept_of(scene(), np.zeros_like(scene()), scene(), leading=1)
    series = drained(doubt_steps(frames, TASK, memory=0))
    assert len(series) == 24
    assert {item.point[0] for item in series[:4]} == {0, 2}


def test_nothing_found_and_few_wanted():
    assert drained(doubt_steps(kept_of(np.zeros((3, 20, 20), np.float32)), TASK)) == []
    found = drained(doubt_steps(kept_of(scene()), TASK, most=3))
    assert len(found) == 3


def test_the_other_thresholds_stay_within_bounds():
    edge = CellsTask(foreground_threshold=0.95, seed_threshold=0.0, boundary_threshold=0.3)
    others = ranking.other_thresholds(edge)
    assert [task.boundary_threshold for task in others][-1] == 0.0
    assert all(0.1 <= task.seed_threshold <= 0.9 for task in others[2:4])
