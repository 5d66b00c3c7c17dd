"""Seeds, watershed and clean-up."""

import numpy as np
import pytest

from unet_napari.tasks import CellsTask
from unet_napari.tasks.decoding.decode import CellRule, pack

DEFAULTS = {"foreground_threshold": 0.5, "seed_threshold": 0.4, "min_size": 0}


def decode(foreground, boundary=None, **options):
    """Decode maps whose distance is what the boundary leaves."""
    foreground = np.asarray(foreground, np.float32)
    boundary = np.zeros_like(foreground) if boundary is None else np.asarray(boundary, np.float32)
    maps = np.stack([foreground, boundary, 1 - boundary])
    return CellsTask(**(DEFAULTS | options)).decode(maps)


def test_packing_rounds_to_the_nearest_255th():
    packed = pack(np.array([0, 0.0019, 0.002, 0.5, 0.999, 1, np.nan]))
    assert packed.tolist() == [0, 0, 1, 128, 255, 255, 0]


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.35, 0.4, 0.5, 2 / 3, 1.0])
def test_thresholds_mean_the_same_for_packed_maps(threshold):
    values = np.arange(256, dtype=np.uint8)
    foreground, distance = np.meshgrid(values, values, indexing="ij")
    maps = np.stack([foreground, np.zeros_like(foreground), distance])
    rule = CellRule(threshold, threshold, 0)
    foreground, distance = foreground.astype(float), distance.astype(float)
    np.testing.assert_array_equal(rule.mask(maps), foreground / 255 > threshold)
    deep = foreground * distance > threshold * 255**2
    np.testing.assert_array_equal(rule.seeds(maps), deep & rule.mask(maps))


def test_a_plateau_is_shared_by_those_around_it():
    foreground, boundary = np.ones((2, 9, 41))
    boundary[4, 2] = boundary[4, 38] = 0
    assert np.bincount(decode(foreground, boundary).ravel()).tolist() in (
        [0, 180, 189],
        [0, 189, 180],
    )


def test_a_boundary_separates_and_every_pixel_goes_to_its_side():
    labels = decode([[0, 1, 1, 1, 1, 1, 1, 0]], [[0, 0, 0.5, 1, 1, 0.5, 0, 0]])
    assert labels.tolist() == [[0, 1, 1, 1, 2, 2, 2, 0]]
    assert labels.dtype == np.uint32


@pytest.mark.parametrize("weakest", [2, 3, 4, 5])
def test_on_a_plateau_of_the_boundary_the_cut_lies_where_the_foreground_is_weakest(weakest):
    foreground, boundary = np.ones((2, 1, 8))
    boundary[0, [0, 7]] = 0
    foreground[0, weakest] = 0.9
    (row,) = decode(foreground, boundary).tolist()
    assert row[:weakest] == [1] * weakest
    assert row[weakest + 1 :] == [2] * (7 - weakest)


@pytest.mark.parametrize(("threshold", "count"), [(0.0, 2), (0.3, 2), (0.31, 1)])
def test_cells_are_one_where_the_boundary_between_them_is_weak(threshold, count):
    foreground, boundary = np.ones((2, 4, 8))
    boundary[:, 1:7] = 0.75
    boundary[:2, 3:5], boundary[2:, 3:5] = 0.2, 0.4  # 0.3 on average
    maps = np.stack([foreground, boundary, 1 - np.abs(boundary - boundary[:, :1])])
    maps[2, :, 1:7] = 0
    task = CellsTask(**DEFAULTS, boundary_threshold=threshold)
    assert task.decode(maps).max() == count


@pytest.mark.parametrize("shape", [(31, 33), (9, 11, 13)])
@pytest.mark.parametrize("value", [0.0, 0.5, np.nan])
def test_constant_maps_hold_no_object(shape, value):
    assert decode(np.full(shape, value), np.full(shape, value)).max() == 0


@pytest.mark.parametrize("shape", [(200, 200), (20, 60, 60)])
def test_an_undecided_network_finds_no_object(shape):
    noise = np.random.default_rng(0).normal(0.5, 0.02, (2, *shape))
    assert decode(*noise).max() == 0


def test_noise_in_the_background_is_no_object():
    noise = np.random.default_rng(0).uniform(0, 0.3, (2, 100, 100))
    noise[0, 40:60, 40:60] = 0.9
    labels = decode(*noise)
    assert labels.max() == 1
    assert labels.sum() == 400


def test_small_objects_are_left_out_and_numbers_stay_consecutive():
    foreground = np.zeros((9, 30))
    foreground[1:8, 1:8] = foreground[3, 12] = foreground[1:8, 20:27] = 1
    labels = decode(foreground, min_size=5)
    assert np.unique(labels).tolist() == [0, 1, 2]
    assert labels[3, 12] == 0


def test_an_object_without_a_seed_is_none():
    foreground, boundary = np.zeros((2, 9, 9))
    foreground[3:6, 3:6] = boundary[3:6, 3:6] = 1
    assert decode(foreground, boundary).max() == 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_holes_of_one_object_are_filled_and_gaps_between_objects_are_not(ndim):
    foreground = np.zeros((9,) * ndim)
    foreground[(slice(1, 8),) * ndim] = 1
    foreground[(4,) * ndim] = 0
    assert decode(foreground).sum() == 7**ndim
    halves = np.zeros((9,) * ndim)
    halves[(slice(1, 8),) * (ndim - 1) + (4,)] = 1  # cells 1 and 2 meet in this plane
    labels = decode(foreground, halves)
    assert labels.max() == 2
    assert labels[(4,) * ndim] == 0


def test_a_bay_at_the_image_border_is_no_hole():
    foreground = np.ones((7, 7))
    foreground[0:3, 3] = 0
    assert np.count_nonzero(decode(foreground) == 0) == 3


def test_more_objects_than_16_bits_are_numbered_one_by_one():
    foreground = np.zeros((600, 600), np.float32)
    foreground[::2, ::2] = 1
    labels = decode(foreground)
    assert labels.max() == 90_000
    assert np.unique(labels).size == 90_001


@pytest.mark.parametrize("axes", [(0, 2, 1), (2, 0, 1), (2, 1, 0)])
def test_axes_may_be_permuted(axes):
    rng = np.random.default_rng(3)
    centres = rng.uniform(4, 20, (12, 3))
    grid = np.stack(np.meshgrid(*(np.arange(24),) * 3, indexing="ij"), -1)
    distance = np.sqrt(((grid[..., None, :] - centres) ** 2).sum(-1))
    first, second = np.sort(distance, axis=-1)[..., :2].transpose(3, 0, 1, 2)
    foreground = 1 / (1 + np.exp(first - 4.2))
    boundary = np.exp(-((second - first) ** 2))
    labels = decode(foreground, boundary)
    permuted = decode(foreground.transpose(axes), boundary.transpose(axes)).transpose(
        np.argsort(axes)
    )
    # The same objects up to their numbers, and to the pixels that two of them reach at once.
    assert labels.max() == permuted.max() > 3
    counterparts = np.array([np.bincount(permuted[labels == i]).argmax() for i in range(11)])
    assert np.unique(counterparts).size == 11
    assert (counterparts[labels] != permuted).sum() < 0.02 * np.count_nonzero(labels)
