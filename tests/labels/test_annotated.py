"""What unpainted pixels mean."""

import numpy as np
import pytest

from unet_napari.errors import LabelsError
from unet_napari.geometry import Box
from unet_napari.images import read_image
from unet_napari.labels.annotated import annotated_mask
from unet_napari.labels.closed_ring import closed_ring, distance, near_boxes


def disc(shape, centre, radius):
    offsets = np.meshgrid(
        *(np.arange(n) - c for n, c in zip(shape, centre, strict=True)), indexing="ij"
    )
    return sum(o**2 for o in offsets) <= radius**2


def distance_to(mask):
    """Distance of each pixel to the nearest of the mask, by brute force."""
    points = np.argwhere(mask)
    grid = np.argwhere(np.ones(mask.shape, bool))
    return np.sqrt(((grid[:, None] - points) ** 2).sum(-1).min(1)).reshape(mask.shape)


def test_classes_say_something_only_where_they_are_painted():
    labels = np.array([[0, 1, 0, 2]])
    assert annotated_mask(labels, task="semantic").tolist() == [[False, True, False, True]]
    everywhere = annotated_mask(labels, task="semantic", unpainted="background")
    assert everywhere.all()


def test_a_region_is_always_added():
    labels = np.array([[0, 1, 0, 2]])
    region = np.array([[0, 0, 255, 0]], np.uint8)
    for task in ("semantic", "cells"):
        mask = annotated_mask(labels, task=task, unpainted="ignore", annotated=region)
        assert mask.tolist() == [[False, True, True, True]]


def test_cells_without_any_background_are_refused():
    with pytest.raises(LabelsError, match="nothing says where cells end"):
        annotated_mask(np.ones((4, 4), int), task="cells", unpainted="ignore")


@pytest.mark.parametrize(("radius", "ring"), [(6, 3.0), (15, 0.2 * 30)])
def test_a_ring_around_one_cell_is_background(radius, ring):
    labels = disc((61, 61), (30, 30), radius).astype(int)
    mask = annotated_mask(labels, task="cells")
    distance = distance_to(labels > 0)
    assert mask[distance <= ring - 0.2].all()
    assert not mask[distance > ring + 0.2].any()


def test_a_gap_too_narrow_for_a_cell_is_background_and_a_wide_one_says_nothing():
    labels = np.zeros((40, 120), int)
    for number, column in enumerate((20, 44, 95), start=1):  # radius 8: gaps of 7 and 34 pixels
        labels[disc(labels.shape, (20, column), 8)] = number
    mask = annotated_mask(labels, task="cells")
    assert mask[20, 20:45].all()
    assert not mask[20, 60:80].any()


def test_cells_at_the_border_are_ringed_as_others():
    labels = np.zeros((30, 30), int)
    labels[disc(labels.shape, (0, 15), 8)] = 1
    mask = annotated_mask(labels, task="cells")
    assert mask[0:9, 15].all()
    assert mask[0, 4:27].all()
    assert not mask[20:].any()


def test_the_ring_has_one_physical_width():
    labels = np.zeros((21, 61, 61), int)
    labels[6:15, 22:39, 22:39] = 1  # 27 x 17 x 17 in units of the finest axis
    mask = annotated_mask(labels, task="cells", spacing=(3, 1, 1))
    profile_y = mask[10, :, 30]
    assert profile_y[18:43].all()
    assert not profile_y[:16].any()


def test_slices_that_nobody_painted_say_nothing():
    labels = np.zeros((9, 40, 40), int)
    labels[4][disc((40, 40), (20, 20), 8)] = 1
    mask = annotated_mask(labels, task="cells")
    assert mask[4].any()
    assert not np.delete(mask, 4, axis=0).any()


def test_nothing_painted_says_nothing():
    assert not annotated_mask(np.zeros((5, 5), int), task="cells").any()


def test_labels_are_not_changed():
    labels = np.eye(9, dtype=np.uint8)
    labels.flags.writeable = False
    assert annotated_mask(labels, task="cells").dtype == bool


def balls(shape, radius=6, step=18):
    """Touching nothing, on a grid, numbered from 1."""
    labels = np.zeros(shape, int)
    grid = np.meshgrid(*(np.arange(step // 2, n, step) for n in shape), indexing="ij")
    for number, centre in enumerate(np.stack(grid, -1).reshape(-1, len(shape)), start=1):
        labels[disc(shape, centre, radius)] = number
    return labels


def only(labels, *places):
    """What is left if only these places were painted on."""
    painted = np.zeros_like(labels)
    for place in places:
        painted[place] = labels[place]
    return painted


CELLS = balls((54, 54, 54))
PLANES = {0: (np.s_[10], np.s_[26], np.s_[44]), 1: (np.s_[:, 10], np.s_[:, 26], np.s_[:, 44]),
          2: (np.s_[..., 10], np.s_[..., 26], np.s_[..., 44])}  # fmt: skip


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_planes_of_all_directions_say_the_same(axis):
    mask = annotated_mask(only(CELLS, *PLANES[axis]), task="cells")
    as_xy = annotated_mask(only(CELLS, *PLANES[0]), task="cells")
    assert (mask & (CELLS == 0)).sum() > 3_000  # there is background
    assert not (mask & (CELLS > 0) & (only(CELLS, *PLANES[axis]) == 0)).any()  # and it is that
    np.testing.assert_array_equal(np.moveaxis(mask, axis, 0), as_xy)


@pytest.mark.parametrize("spacing", [None, (2.5, 1, 1)])
def test_slices_say_what_they_always_said(spacing):
    """XY planes and whole cells: a closing and a ring in all directions, in painted slices."""
    for labels in (CELLS, only(CELLS, *PLANES[0]), only(CELLS, np.s_[8:14, :30])):
        sizes = np.asarray(spacing or (1, 1, 1), float)
        volume = np.median(np.bincount(labels.ravel())[1:][np.unique(labels)[1:] - 1])
        diameter = (6 / np.pi * volume * sizes.prod()) ** (1 / 3)
        ring = max(3.0, 0.2 * diameter)
        expected = closed_ring(labels > 0, diameter, ring, sizes)
        expected &= labels.any(axis=(1, 2), keepdims=True)
        mask = annotated_mask(labels, task="cells", spacing=spacing)
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    "places",
    [
        (*PLANES[0][:1], *PLANES[1][1:2]),  # other cells in planes of other directions
        (np.s_[26], np.s_[:, 26], np.s_[..., 26]),  # the same cells in three directions
        (np.s_[:, 26:28],),  # two planes side by side
    ],
)
def test_planes_may_cross_and_be_neighbours(places):
    painted = only(CELLS, *places)
    mask = annotated_mask(painted, task="cells")
    assert (mask & (CELLS == 0)).sum() > 500
    wrong = mask & (CELLS > 0) & (painted == 0)
    assert not wrong.any()


def test_whole_cells_beside_others_of_one_slice():
    sliced, whole = CELLS * (CELLS % 2), CELLS * (CELLS % 2 == 0)
    painted = whole + only(sliced, *PLANES[0])
    mask = annotated_mask(painted, task="cells")
    alone = annotated_mask(whole, task="cells")
    wrong = mask & (CELLS > 0) & (painted == 0)
    assert wrong.sum() < 0.02 * (mask & (painted == 0)).sum()
    assert (mask & (CELLS == 0)).sum() > 0.7 * (alone & (CELLS == 0)).sum()


def test_whole_cells_that_the_border_cuts_are_whole():
    labels = balls((54, 54, 54))[:, 14:]  # of the first ones nothing but a sliver is left
    sizes = np.ones(3)
    volume = np.median(np.unique(labels[labels > 0], return_counts=True)[1])
    diameter = (6 / np.pi * volume) ** (1 / 3)
    expected = closed_ring(labels > 0, diameter, max(3.0, 0.2 * diameter), sizes)
    expected &= labels.any(axis=(1, 2), keepdims=True)
    np.testing.assert_array_equal(annotated_mask(labels, task="cells"), expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_beside_one_plane_of_real_nuclei_no_background_is_in_a_cell(axis, shared_data):
    (path,) = (shared_data / "gonuclear3d" / "labels").glob("*.tif")
    labels = np.asarray(read_image(path).data[...])
    key = [slice(None)] * 3
    key[axis] = labels.shape[axis] // 2
    painted = only(labels, tuple(key))
    beside = annotated_mask(painted, task="cells") & (painted == 0)
    assert beside.sum() > 500
    assert not labels[beside].any()


@pytest.mark.parametrize("sizes", [(1, 1), (3, 1)])
def test_what_is_beside_is_the_same_looked_for_near_the_paint_and_everywhere(sizes):
    sizes = np.asarray(sizes, float)
    painted = np.zeros((150, 260), bool)
    for y, x in ((4, 5), (20, 11), (9, 60), (90, 120), (100, 131), (149, 259), (140, 80)):
        painted[y : y + 3, x : x + 4] = True
    grown = distance(painted, sizes) <= 8
    closed = painted | (distance(~grown, sizes) > 8)
    expected = distance(closed, sizes) <= 3
    assert len(near_boxes(painted, 19, sizes)) > 1
    np.testing.assert_array_equal(closed_ring(painted, 16, 3, sizes), expected)


def test_paint_in_opposite_corners_of_a_large_plane_is_two_small_boxes():
    painted = np.zeros((4000, 5000), bool)
    painted[10, 10:20] = painted[3990, 4980:4990] = True
    boxes = near_boxes(painted, 30, np.ones(2))
    assert boxes == [Box((0, 0), (62, 62)), Box((3937, 4929), (4000, 5000))]
    assert near_boxes(np.zeros((5, 5), bool), 30, np.ones(2)) == []
