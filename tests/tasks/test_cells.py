"""The cells task: what is encoded comes back from perfect maps, in 2D and 3D."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.errors import SettingsError
from unet_napari.evaluation.objects import evaluate
from unet_napari.tasks import CellsTask, Criterion, make_task


def perfect_maps(labels, task):
    """Maps of a network that makes no mistake."""
    batch = torch.from_numpy(labels.astype(np.int64))[None]
    return task.encode(batch, torch.ones_like(batch, dtype=torch.bool)).values[0].numpy()


def balls(shape, centres, radius):
    """Label the pixels within `radius` of a centre by the nearest: discs or balls that touch."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    distance = np.sqrt(((grid[..., None, :] - np.asarray(centres)) ** 2).sum(-1))
    return np.where(distance.min(-1) <= radius, distance.argmin(-1) + 1, 0)


@st.composite
def tissues(draw):
    """Random touching discs or balls, none of them cut to a sliver by the border."""
    shape = draw(st.sampled_from([(48, 40), (20, 24, 22)]))
    radius = draw(st.integers(4, 7))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    centres: list[np.ndarray] = []
    for centre in random.uniform(0, shape, (200, len(shape))):
        if all(np.linalg.norm(centre - other) >= 1.6 * radius for other in centres):
            centres.append(centre)
    inner = [c for c in centres if all(3 <= x < n - 3 for x, n in zip(c, shape, strict=True))]
    return balls(shape, inner or [[n / 2 for n in shape]], radius)


@settings(max_examples=30, deadline=None)
@given(labels=tissues())
def test_perfect_maps_decode_to_the_objects_they_were_made_from(labels):
    task = CellsTask()
    decoded = task.decode(perfect_maps(labels, task))
    result = evaluate(labels, decoded)
    assert result.average_precision(0.5) == 1.0
    assert result.panoptic_quality() > 0.97
    np.testing.assert_array_equal(decoded > 0, labels > 0)
    assert np.unique(decoded).tolist() == list(range(result.predicted_count + 1))


@pytest.mark.parametrize("anisotropy", [(2.0, 1.0, 1.0), (5.0, 0.5, 0.5)])
def test_cells_that_touch_along_a_coarse_axis_come_back_apart(anisotropy):
    labels = np.zeros((8, 20, 20), int)
    labels[1:4, 3:17, 3:17] = 4
    labels[4:7, 3:17, 3:17] = 9
    task = CellsTask(anisotropy=anisotropy)
    result = evaluate(labels, task.decode(perfect_maps(labels, task)))
    assert result.average_precision(0.9) == 1.0


def test_real_nuclei_come_back(shared_data):
    task = CellsTask()
    files = sorted((shared_data / "dsb2018_small").glob("*/labels/*.tif"))
    truth = [tifffile.imread(file) for file in files]
    result = evaluate(truth, [task.decode(perfect_maps(labels, task)) for labels in truth])
    assert len(files) == 36
    assert result.average_precision(0.5) > 0.98
    assert result.average_precision(0.9) > 0.97


def test_encoding_names_foreground_boundary_and_distance():
    labels = torch.tensor([[[0, 0, 0, 0], [0, 8, 8, 8], [0, 8, 8, 8]]])
    annotated = torch.ones_like(labels, dtype=torch.bool)
    annotated[0, 0, 3] = False
    target = CellsTask(boundary_width=1, reach=2).encode(labels, annotated)
    assert CellsTask.map_names == ("foreground", "boundary", "distance")
    assert target.values[0, 0].tolist() == [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1]]
    assert target.values[0, 1].tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0]]
    assert target.values[0, 2].tolist() == [[0, 0, 0, 0], [0, 0.5, 0.5, 1], [0, 0.5, 1, 1]]
    assert target.weight[0, 0].tolist() == [[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    for near_an_edge in target.weight[0, 1:]:
        assert near_an_edge.tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_border_weights_raise_narrow_gaps_and_leave_unlabelled_pixels_silent():
    labels = torch.zeros(1, 9, 20, dtype=torch.int64)
    labels[0, 2:7, 2:8], labels[0, 2:7, 10:16] = 1, 2
    annotated = torch.ones_like(labels, dtype=torch.bool)
    annotated[0, 0] = False
    task = CellsTask(criterion=Criterion("bce", border_weight=10.0))
    weight = task.encode(labels, annotated).weight
    assert weight[0, 0, 4, 9] > 8
    assert weight[0, :, 0].eq(0).all()


def test_unlabelled_pixels_get_no_gradient():
    labels = torch.randint(0, 4, (2, 16, 16), generator=torch.Generator().manual_seed(0))
    annotated = torch.zeros_like(labels, dtype=torch.bool)
    annotated[0, 4:8, 4:8] = True
    task = CellsTask()
    target = task.encode(labels, annotated)
    logits = torch.randn(2, 3, 16, 16).requires_grad_()
    task.loss(logits, target).backward()
    assert logits.grad[0, 0, 4:8, 4:8].ne(0).all()
    assert logits.grad[:, :, ~annotated.any(0)].eq(0).all()
    assert logits.grad[1].eq(0).all()


def test_activation_is_a_sigmoid():
    assert CellsTask().activate(torch.tensor([0.0])).item() == 0.5


def squares(count):
    labels = np.zeros((12, 12 * count), np.int64)
    for i in range(count):
        labels[2:10, 12 * i + 2 : 12 * i + 10] = i + 1
    return labels


def test_score_is_ap50_of_annotated_cells_and_none_where_too_few():
    task, true = CellsTask(), squares(6)
    missing = np.where(true == 3, 0, true)
    everywhere = np.ones(true.shape, bool)
    assert task.score_name == "AP50"
    assert task.score(missing, true, everywhere) == pytest.approx(5 / 6)
    assert task.score(missing, true, true != 3) == 1.0
    assert task.score([missing, true], [true, true], [everywhere] * 2) == pytest.approx(11 / 12)
    few = squares(4)
    assert task.score(few, few, np.ones(few.shape, bool)) is None


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
            "There is no loss 'ce' for this task, only bce, dice, focal",
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


@pytest.mark.parametrize(("width", "found"), [(1, 1), (2, 3), (3, 10)])
def test_touching_cells_of_one_or_two_pixels_come_out_as_one(width, found):
    """The limit that `check_labels` warns of, and docs/guide/cell-head.md states."""
    labels = np.broadcast_to(np.repeat(np.arange(1, 11), width), (30, 10 * width)).copy()
    task = CellsTask(min_size=0)
    # Of the two at the border nobody knows where they end: they have a middle.
    assert task.decode(perfect_maps(labels, task)).max() == found
    apart = np.insert(labels, np.arange(width, 10 * width, width), 0, axis=1)
    assert task.decode(perfect_maps(apart, task)).max() == 10


def test_what_is_usual_stays_where_there_are_too_few_images_to_tell():
    labels = balls((60, 60), [(15, 15), (45, 45), (15, 45), (45, 15), (30, 30)], 6)
    task = CellsTask(least_confidence=0.9, most_coverage=0.7)
    maps, whole = perfect_maps(labels, task), np.ones(labels.shape, bool)
    tuned = task.tuned([maps] * 3, [labels] * 3, [whole] * 3)
    assert (tuned.least_confidence, tuned.most_coverage) == (0.9, 0.7)
    tuned = task.tuned([maps] * 10, [labels] * 10, [whole] * 10)
    assert tuned.least_confidence == 1.0


@pytest.mark.parametrize("axis", [1, 2])
def test_a_plane_of_any_direction_teaches_the_same(axis):
    """Cells painted in one plane, with background around them in it: XZ and YZ as XY."""
    plane = balls((40, 40), [(12, 12), (12, 24), (28, 20)], 6)
    said = balls((40, 40), [(12, 12), (12, 24), (28, 20)], 9) > 0
    task = CellsTask(boundary_width=2.0, reach=5)
    targets = []
    for across in (0, axis):
        labels, annotated = np.zeros((40, 40, 40), np.int64), np.zeros((40, 40, 40), bool)
        np.moveaxis(labels, across, 0)[20] = plane
        np.moveaxis(annotated, across, 0)[20] = said
        target = task.encode(torch.from_numpy(labels)[None], torch.from_numpy(annotated)[None])
        values, weight = (np.moveaxis(t[0].numpy(), across + 1, 1)[:, 20] for t in target)
        targets.append((values * weight, weight))
    (values, weight), (expected, where) = targets[1], targets[0]
    np.testing.assert_array_equal(weight, where)
    np.testing.assert_allclose(values, expected)
    assert weight[2][plane > 0].all()  # the depth of all of them is known
    assert values[2].max() == 1
