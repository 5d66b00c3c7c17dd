"""The semantic task: painted ids in, the same ids out."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.errors import SettingsError
from unet_napari.tasks import Criterion, SemanticTask, make_task

IDS = st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=6, unique=True).map(sorted)


@settings(max_examples=30, deadline=None)
@given(ids=IDS, seed=st.integers(0, 999), shape=st.sampled_from([(2, 5, 6), (1, 3, 4, 5)]))
def test_perfect_maps_decode_to_what_was_painted(ids, seed, shape):
    task = SemanticTask(tuple(ids))
    labels = torch.from_numpy(np.random.default_rng(seed).choice(np.array(ids), shape))
    target = task.encode(labels, torch.ones_like(labels, dtype=torch.bool))
    assert target.weight.eq(1).all()
    for image, index in zip(labels.numpy(), target.values[:, 0].numpy(), strict=True):
        maps = (index == np.arange(len(ids)).reshape(-1, *[1] * index.ndim)).astype(np.float32)
        np.testing.assert_array_equal(task.decode(maps), image)


@pytest.mark.parametrize(
    ("largest", "dtype"),
    [(255, np.uint8), (256, np.uint16), (65_536, np.uint32), (2**32, np.uint64)],
)
def test_output_has_the_smallest_dtype_that_holds_the_ids(largest, dtype):
    labels = SemanticTask((0, largest)).decode(np.array([[[0.1]], [[0.9]]]))
    assert labels.dtype == dtype
    assert labels.tolist() == [[largest]]


def test_other_ids_and_unannotated_pixels_say_nothing():
    labels = torch.tensor([[[0, 1, 3, 7, 9, 3]]])
    annotated = torch.tensor([[[True, True, True, True, True, False]]])
    target = SemanticTask((1, 3, 9)).encode(labels, annotated)
    assert target.weight.tolist() == [[[[0, 1, 1, 0, 1, 0]]]]
    assert target.values.tolist() == [[[[0, 0, 1, 0, 2, 0]]]]


@pytest.mark.parametrize("criterion", ["ce", "dice", "focal", "ce+dice"])
def test_unlabelled_pixels_get_no_gradient_and_a_scribble_is_enough(criterion):
    task = make_task({"name": "semantic", "classes": [1, 2], "criterion": criterion})
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[0, 3, 3] = 2
    logits = torch.randn(1, 2, 8, 8).requires_grad_()
    value = task.loss(logits, task.encode(labels, labels > 0))
    value.backward()
    silent = labels == 0
    assert torch.isfinite(value)
    assert logits.grad[:, :, 3, 3].ne(0).all()
    assert logits.grad[:, :, silent[0]].eq(0).all()


def test_activation_is_a_softmax():
    maps = SemanticTask((1, 2, 3)).activate(torch.randn(2, 3, 4, 4))
    torch.testing.assert_close(maps.sum(1), torch.ones(2, 4, 4))


def test_score_is_the_mean_dice_on_annotated_pixels():
    task = SemanticTask((1, 2))
    true = np.repeat([[1, 2]], 100, axis=1)  # 100 pixels of each
    predicted = true.copy()
    predicted[0, :50] = 2
    annotated = np.ones(true.shape, bool)
    expected = (2 * 50 / 150 + 2 * 100 / 250) / 2
    assert task.score(predicted, true, annotated) == pytest.approx(expected)
    annotated[0, :50] = False
    assert task.score(predicted, true, annotated) == 1.0
    annotated[0, :60] = False  # 40 pixels of class 1 are left
    assert task.score(predicted, true, annotated) is None


def test_nothing_is_left_to_tune():
    task = SemanticTask((1, 2))
    assert task.tuned([np.zeros((2, 3, 3))], [np.zeros((3, 3))], [np.ones((3, 3), bool)]) is task


@pytest.mark.parametrize(
    "task",
    [SemanticTask((0, 255)), SemanticTask((1, 2, 2**31 - 1), Criterion("ce", gamma=1.0))],
)
def test_it_travels_as_json(task):
    assert make_task(json.loads(json.dumps(task.to_dict()))) == task
    assert task.out_channels == len(task.map_names) == len(task.classes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": [1]}, "classes must be a list of 2 to 1000 numbers"),
        ({"classes": [2, 1]}, "ascending"),
        ({"classes": [1, 1]}, "ascending"),
        ({"classes": [1, 2.5]}, "classes must be a list of whole numbers"),
        ({"classes": [-1, 2]}, "from 0 to"),
        ({"classes": [True, 2]}, "classes must be a list of whole numbers"),
        ({"classes": list(range(1001))}, "2 to 1000"),
        ({"classes": 10**9}, "must be a list"),
        ({"classes": [1, 10**400]}, "classes"),
        (
            {"criterion": "bce"},
            "no loss 'bce' for this task, only ce, .* and sums of them",
        ),
        ({"criterion": {"name": "ce", "border_weight": 5}}, "border_weight of a semantic loss"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings, message):
    with pytest.raises(SettingsError, match=message):
        make_task({"name": "semantic", **settings})


@pytest.mark.parametrize(
    "description", [{}, {"name": 3}, {"name": "boxes"}, [], None, {"name": []}]
)
def test_what_is_no_task_is_refused(description):
    with pytest.raises(SettingsError, match="task"):
        make_task(description)
