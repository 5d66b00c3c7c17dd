"""The cells task: what is encoded comes back from perfect maps, in 2D and 3D."""

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.evaluation.objects import evaluate
from unet_napari.tasks import CellsTask, Criterion


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
    """Random touching discs or balls, none of them cut to a sliver by the border or the others.

    At a distance of 1.6 radii, one in ten thousand balls had a lobe between its neighbours that
    was found as a cell of its own.
    """
    shape = draw(st.sampled_from([(48, 40), (20, 24, 22)]))
    radius = draw(st.integers(4, 7))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    centres: list[np.ndarray] = []
    for centre in random.uniform(0, shape, (200, len(shape))):
        if all(np.linalg.norm(centre - other) >= 1.8 * radius for other in centres):
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


@pytest.mark.parametrize(("width", "found"), [(1, 1), (2, 3), (3, 10)])
def test_touching_cells_of_one_or_two_pixels_come_out_as_one(width, found):
    """The limit that `check_labels` warns of, and docs/guide/models/cell-head.md states."""
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
