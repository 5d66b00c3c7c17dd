"""The task of a training."""

import numpy as np
import pytest

from unet_napari.options import OptionError
from unet_napari.tasks import CellsTask, Criterion, SemanticTask
from unet_napari.training import TrainConfig
from unet_napari.training.data.sample import Sample
from unet_napari.training.setup.choose_task import choose_task

NUCLEI = CellsTask(
    reach=64,
    boundary_width=3.0,
    foreground_threshold=0.6,
    seed_threshold=0.8,
    boundary_threshold=0.6,
    min_size=25,
    least_confidence=0.9,
    most_coverage=0.7,
)


def squares(*sides, shape=(60, 60)):
    """One square of each side, in a row, all annotated."""
    labels = np.zeros(shape, np.int32)
    for number, side in enumerate(sides, start=1):
        labels[2 : 2 + side, 15 * number - 12 : 15 * number - 12 + side] = number
    return Sample(
        np.zeros((1, *shape), np.float32), labels, np.ones(shape, bool), 0, (0,) * len(shape)
    )


def choose(sample, start=None, *, task="cells", **options):
    config = TrainConfig(task=task, task_options=options)
    # Ten times the sample, as fewer than ten cells say little about how small cells get.
    return choose_task(config, [sample], [sample] * 10, (1.0, 1.0), start)


def test_refining_keeps_the_task_of_the_model():
    task = choose(squares(10, 12), NUCLEI)
    assert task == CellsTask(**{**vars(NUCLEI), "anisotropy": (1.0, 1.0)})
    assert choose(squares(10), NUCLEI, reach=8, min_size=3).reach == 8
    assert choose(squares(10), NUCLEI, reach=8, min_size=3).min_size == 3


def test_the_pixels_of_the_new_images_count():
    sample = squares(10, 12)
    start = CellsTask(anisotropy=(3.0, 1.0))
    task = choose_task(TrainConfig(), [sample], [sample], (2.0, 1.0), start)
    assert task.anisotropy == (2.0, 1.0)


def test_refining_leaves_out_none_of_the_painted_cells():
    assert choose(squares(4, 10), NUCLEI).min_size == 8
    assert choose(squares(5, 10), NUCLEI).min_size == 25


def test_a_model_of_classes_does_not_say_what_cells_are():
    assert choose(squares(10), SemanticTask()).reach == CellsTask.reach
    classes = choose(squares(10, 10), NUCLEI, task="semantic")
    assert classes.classes == (0, 1, 2)


@pytest.mark.parametrize(("sides", "expected"), [((8, 10), 32), ((3, 10), 10), ((), 10)])
def test_min_size_is_half_the_size_of_the_smallest_whole_cell(sides, expected):
    assert choose(squares(*sides)).min_size == expected
    assert choose(squares(*sides), min_size=4).min_size == 4


@pytest.mark.parametrize(
    ("sides", "expected"), [((4, 12, 12), 12), ((7, 12, 12), 36), ((9, 12, 12), 40)]
)
def test_where_cells_vary_min_size_is_nearer_to_the_smallest(sides, expected):
    assert choose(squares(*sides)).min_size == expected


def test_cells_that_are_cut_are_not_whole():
    sample = squares(8, 10)
    labels, annotated = sample.labels.copy(), sample.annotated.copy()
    labels[57:, :7] = 3  # at the border
    annotated[2:4, :12] = False  # part of the first
    cut = Sample(sample.image, labels, annotated, 0, (0, 0))
    assert choose(cut).min_size == 50


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, Criterion("bce+dice")),
        ({"loss": "focal"}, Criterion("focal")),
        ({"loss": "focal", "loss_options": {"gamma": 1}}, Criterion("focal", gamma=1)),
        ({"loss_options": {"alpha": 0.3}}, Criterion("bce+dice", alpha=0.3)),
    ],
)
def test_the_loss_is_that_of_the_settings(said, expected):
    sample = squares(10)
    assert (
        choose_task(TrainConfig(**said), [sample], [sample], (1.0, 1.0), None).criterion == expected
    )


def test_parameters_alone_are_those_of_the_usual_loss_of_the_task():
    sample = squares(10, 10)
    config = TrainConfig(task="semantic", loss_options={"class_weights": "frequency"})
    criterion = choose_task(config, [sample], [sample], (1.0, 1.0), None).criterion
    assert criterion.name == "ce+dice"
    assert criterion.class_weights == pytest.approx((3600 / 3 / 3400, 12.0, 12.0))


def test_the_loss_has_one_place_in_the_settings():
    with pytest.raises(OptionError, match="task_options cannot hold the loss: give it as loss and"):
        TrainConfig(task_options={"criterion": "focal"})
