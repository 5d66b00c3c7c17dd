"""Whether new weights replace those that a training starts from, where nothing is held out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unet_napari.errors import UnetNapariWarning
from unet_napari.tasks import CellsTask, SemanticTask
from unet_napari.training.candidates.best import Best, Kept
from unet_napari.training.candidates.incumbent import Incumbent, margin
from unet_napari.training.data.sample import Sample

CPU = torch.device("cpu")
COUNT = 10


@pytest.fixture
def painted():
    """Ten square cells in a row, all annotated."""
    labels = np.zeros((20, 20 * COUNT), np.int32)
    for number in range(COUNT):
        labels[5:15, 20 * number + 5 : 20 * number + 15] = number + 1
    return Sample(
        np.zeros((1, *labels.shape), np.float32), labels, np.ones(labels.shape, bool), 0, (0, 0)
    )


@pytest.fixture
def start(painted, monkeypatch):
    """A start, and a way to say how many of the cells a network finds."""

    def predict(network, task, sample, device, *, halo, most):
        if isinstance(task, SemanticTask):
            truth = np.where(sample.labels > 0, 1, 0)
            wrong = np.arange(truth.size).reshape(truth.shape) < network * truth.size
            return np.stack([truth == wrong, truth != wrong]).astype(np.float32)
        found = ((sample.labels > 0) & (sample.labels <= network)).astype(np.float32)
        return np.stack([found, np.zeros_like(found), found])

    monkeypatch.setattr("unet_napari.training.candidates.incumbent.predict_sample", predict)
    kept = Kept({}, CellsTask(), 0, None)
    return Incumbent("nuclei", kept, [painted], CPU, halo=(8, 8), most=1000)


def compared(start, *found):
    return [start.compare(each) or start.stays for each in found]


def test_a_start_that_finds_everything_cannot_be_beaten(start):
    assert compared(start, 10, 10, 9) == [True, True, True]
    assert start.describe() == "the 10 painted cells agree with nuclei already: segment with it"


def test_a_gain_that_chance_explains_is_none(start):
    assert compared(start, 7, 8, 10) == [True, True, True]
    assert "cannot show that the training made nuclei better" in start.describe()


def test_a_large_gain_is_believed_and_a_later_loss_too(start):
    assert compared(start, 3, 5, 8, 4) == [True, True, False, True]


def test_a_start_that_finds_nothing_gives_way_at_once(start):
    assert compared(start, 0) == [False]


def test_without_memory_the_start_gives_way_with_a_warning(start, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr("unet_napari.training.candidates.incumbent.predict_sample", fail)
    with pytest.warns(UnetNapariWarning, match="not enough memory to compare"):
        start.compare(10)
    assert not start.stays
    assert start.pixels == 0


def test_of_classes_half_of_what_is_wrong_must_be_put_right(painted, start):
    task = SemanticTask(classes=(0, 1))
    classes = Sample(
        painted.image, (painted.labels > 0).astype(np.int32), painted.annotated, 0, (0, 0)
    )
    of_classes = Incumbent(
        "tissue", Kept({}, task, 0, None), [classes], CPU, halo=(8, 8), most=1000
    )
    assert compared(of_classes, 0.2, 0.15, 0.02) == [True, True, False]
    assert of_classes.describe().startswith("what is painted cannot show")
    assert start.stays


def test_the_margin_shrinks_with_the_cells_and_is_never_zero():
    assert margin(0.5, 10) == pytest.approx(2 * (2 * 0.25 / 12) ** 0.5)
    assert margin(1.0, 10) > 0
    assert margin(0.5, 1000) < 0.1
    assert margin(0.8, 0) == pytest.approx(0.1)


@pytest.mark.parametrize(("score", "replaces"), [(0.7, False), (0.79, False), (0.81, True)])
def test_held_out_labels_must_show_that_new_weights_are_better(score, replaces):
    best = Best()
    assert best.judged(0.7, best.enough(0.1), lambda: Kept({}, CellsTask(), 0, 0.7))
    enough = best.enough(0.1)
    assert best.judged(score, enough, lambda: Kept({}, CellsTask(), 5, score)) == replaces
    assert best.kept.step == (5 if replaces else 0)


def test_nothing_worse_than_the_start_follows_what_was_better():
    best = Best()
    best.judged(0.5, best.enough(0.1), lambda: Kept({}, CellsTask(), 0, 0.5))
    best.judged(0.7, best.enough(0.1), lambda: Kept({}, CellsTask(), 5, 0.7))
    # Within the noise of the best, but no better than the start.
    assert not best.judged(0.58, best.enough(0.1), lambda: Kept({}, CellsTask(), 9, 0.58))
    assert best.judged(0.65, best.enough(0.1), lambda: Kept({}, CellsTask(), 9, 0.65))


def test_what_is_said_of_other_labels_is_not_said_of_new_ones(start, painted):
    start.compare(10)
    start.show([painted, painted])
    assert "agree" not in start.describe()
    start.compare(10)
    assert start.describe() == "the 20 painted cells agree with nuclei already: segment with it"
