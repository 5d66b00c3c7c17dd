"""Settings of the task of cells: tuned, refused by name, carried as JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from unet_napari.errors import SettingsError
from unet_napari.tasks import CellsTask, Criterion, make_task


def perfect_maps(labels, task):
    """Maps of a network that makes no mistake."""
    batch = torch.from_numpy(labels.astype(np.int64))[None]
    return task.encode(batch, torch.ones_like(batch, dtype=torch.bool)).values[0].numpy()


def squares(count):
    labels = np.zeros((12, 12 * count), np.int64)
    for i in range(count):
        labels[2:10, 12 * i + 2 : 12 * i + 10] = i + 1
    return labels


def test_tuning_finds_thresholds_for_a_timid_network():
    true = squares(8)
    maps = perfect_maps(true, CellsTask())
    maps[0] *= 0.4  # never reaches the default threshold of the foreground
    task = CellsTask()
    everywhere = np.ones(true.shape, bool)
    assert task.score(task.decode(maps), true, everywhere) == 0.0
    tuned = task.tuned([maps], [true], [everywhere])
    assert tuned.score(tuned.decode(maps), true, everywhere) == 1.0
    assert tuned.min_size == 32
    assert replace(tuned, **{n: getattr(task, n) for n in DECODING}) == task


DECODING = ("foreground_threshold", "seed_threshold", "boundary_threshold", "min_size")


@pytest.mark.parametrize(("height", "found"), [(0.1, 0.2), (0.3, 0.4), (0.5, 0.6), (0.9, 0.0)])
def test_tuning_joins_what_only_a_weak_boundary_parts(height, found):
    true = squares(8)
    everywhere = np.ones(true.shape, bool)
    maps = perfect_maps(true, CellsTask())
    for column in (5, 6):  # the two in the middle of each
        maps[2, :, column::12] = 0  # no seed there, at whatever threshold
        maps[1, :, column::12] = height
    tuned = CellsTask().tuned(maps, true, everywhere)
    assert tuned.boundary_threshold == found
    assert (tuned.score(tuned.decode(maps), true, everywhere) == 1) == (found > 0)


def test_tuning_parts_what_an_inherited_threshold_joined():
    true = np.repeat(np.arange(16) + 1, 6)[None].repeat(12, 0)  # cells side by side
    maps = perfect_maps(true, CellsTask())
    maps[1] *= 0.1
    tuned = CellsTask(boundary_threshold=0.6).tuned(maps, true, np.ones(true.shape, bool))
    assert tuned.boundary_threshold == 0
    assert tuned.score(tuned.decode(maps), true, np.ones(true.shape, bool)) == 1


def test_tuning_keeps_what_it_cannot_better():
    true = squares(8)
    task = CellsTask()
    tuned = task.tuned(perfect_maps(true, task), true, np.ones(true.shape, bool))
    assert tuned == replace(task, min_size=32)
    few = squares(3)
    assert task.tuned(perfect_maps(few, task), few, np.ones(few.shape, bool)) == task


def test_what_is_too_small_for_a_cell_is_told_from_whole_cells(monkeypatch):
    """Also where tuning can afford only the middle of an image, whose edge cuts cells."""
    true = np.zeros((80, 80), int)
    for number in range(16):
        y, x = divmod(number, 4)
        true[y * 20 : y * 20 + 16, x * 20 : x * 20 + 16] = number + 1
    task, everywhere = CellsTask(), np.ones(true.shape, bool)
    monkeypatch.setattr("unet_napari.tasks.cells._TUNING_PIXELS", 44 * 44)
    assert task.tuned(perfect_maps(true, task), true, everywhere).min_size == 16 * 16 // 2


def test_tuning_does_not_follow_a_single_cell():
    true = squares(8)
    everywhere = np.ones(true.shape, bool)
    maps = perfect_maps(true, CellsTask())
    maps[0][true == 8] *= 0.45
    assert CellsTask().tuned(maps, true, everywhere).foreground_threshold == 0.5
    maps[0][true == 7] *= 0.45
    assert CellsTask().tuned(maps, true, everywhere).foreground_threshold == 0.35


def test_tuning_a_large_image_looks_at_its_middle():
    true = np.tile(squares(8), (128, 16))  # 1536 x 1536
    true[true > 0] += 8 * (np.arange(1536)[:, None] // 12 * 16 + np.arange(1536) // 96)[true > 0]
    task = CellsTask(foreground_threshold=0.97, seed_threshold=0.97)
    maps = 0.9 * perfect_maps(true, task)
    tuned = task.tuned(maps, true, np.ones(true.shape, bool))
    assert tuned.foreground_threshold < 0.9 > tuned.seed_threshold


@pytest.mark.parametrize(
    "task",
    [
        CellsTask(),
        CellsTask(
            3,
            4,
            (1.75, 0.8, 0.8),
            0.4,
            0.6,
            7,
            Criterion("focal", class_weights=(1, 2, 1)),
            0.3,
            0.9,
            0.8,
        ),
    ],
)
def test_it_travels_as_json(task):
    assert make_task(json.loads(json.dumps(task.to_dict()))) == task


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"boundary_width": 1e9}, "boundary_width must be a number from 1 to 5"),
        ({"reach": 10**9}, "reach must be a whole number from 1 to 64"),
        ({"reach": float("inf")}, "reach"),
        ({"boundary_threshold": 1.1}, "boundary_threshold must be a number from 0 to 1"),
        ({"reach": 2.5}, "reach must be a whole number"),
        ({"anisotropy": [0, 1]}, "anisotropy"),
        ({"anisotropy": [1] * 4}, "at most 3"),
        ({"anisotropy": "no"}, "anisotropy must be a list"),
        ({"seed_threshold": "0.5"}, "seed_threshold"),
        ({"min_size": 2.5}, "whole number"),
        ({"min_size": 10**12}, "min_size"),
        (
            {"criterion": "ce"},
            "There is no loss 'ce' for this task, only bce, ",
        ),
        ({"criterion": {"name": "bce", "class_weights": [1, 2]}}, "2 class_weights"),
        ({"criterion": 3}, "The loss must be names with values"),
        ({"radius": 3}, "has no setting radius"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings, message):
    with pytest.raises(SettingsError, match=message):
        make_task({"name": "cells", **settings})


def test_anisotropy_must_fit_the_axes():
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    with pytest.raises(SettingsError, match="3 values for 2 axes"):
        CellsTask(anisotropy=(2, 1, 1)).encode(labels, labels == 0)


def test_few_cells_judge_coarsely():
    labels = np.zeros((10, 40), int)
    labels[2:8, :] = np.repeat(np.arange(1, 5), 10)
    annotated = np.ones(labels.shape, bool)
    assert CellsTask().uncertainty(0.5, labels, annotated) == pytest.approx(0.25)
    assert CellsTask().uncertainty(1.0, labels, annotated) == 0
    annotated[:, :20] = False
    assert CellsTask().uncertainty(0.5, [labels], [annotated]) == pytest.approx(0.5 / 2**0.5)
