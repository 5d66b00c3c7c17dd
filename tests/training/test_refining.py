"""Trainings that start from a model, or have options of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from small_training import SMALL, of, run, weights
from unet_napari.errors import LabelsError, SettingsError
from unet_napari.images import Image
from unet_napari.labels.measure import diameters
from unet_napari.model.model import Model
from unet_napari.training import (
    Pair,
    Started,
    TrainConfig,
    Trainer,
    Validated,
)


def test_a_model_can_be_saved_loaded_and_trained_further(cells_pair, tmp_path):
    model = run([cells_pair], steps=2)[0].best_model()
    loaded = Model.load(model.save(tmp_path / "cells.unet"))
    trainer = Trainer([cells_pair], TrainConfig(**SMALL, steps=1), loaded)
    assert torch.equal(weights(trainer.model), weights(model))
    list(trainer.run())
    assert not torch.equal(weights(trainer.model), weights(model))


def test_a_refined_model_keeps_its_task_where_little_is_painted(cells_pair):
    old = Trainer([cells_pair], TrainConfig(**SMALL, steps=1)).model
    old.task = replace(old.task, reach=64, seed_threshold=0.8, min_size=25, most_coverage=0.7)
    few = np.where(np.asarray(cells_pair.labels) <= 3, cells_pair.labels, 0)
    trainer, events = run([Pair(cells_pair.image, few)], old, steps=1)
    assert of(Started, events)[0].validation == "too few labels to judge"
    assert trainer.best_model().task == old.task


def test_pairs_of_one_image_are_one_image_to_the_validation(cells_pair):
    same = [Pair(cells_pair.image, np.asarray(cells_pair.labels).copy()) for _ in range(5)]
    started = next(Trainer(same, TrainConfig(**SMALL, steps=1)).run())
    assert started.validation.startswith("the part at")


def test_training_further_with_other_classes_keeps_all_but_the_last_layer(cells_pair, classes_pair):
    model = run([cells_pair], steps=1)[0].best_model()
    labels = np.asarray(classes_pair.labels).copy()
    labels[:20] = 3
    trainer = Trainer(
        [Pair(cells_pair.image, labels)],
        TrainConfig(**SMALL, steps=1, task="semantic"),
        start_from=model,
    )
    assert trainer.model.network.out_channels == 3
    old, new = model.network.state_dict(), trainer.model.network.state_dict()
    same = [name for name in old if torch.equal(old[name], new[name].cpu())]
    assert len(same) >= len(old) - 2


def test_a_model_of_other_axes_or_channels_is_refused(cells_pair):
    model = run([cells_pair], steps=1)[0].best_model()
    rgb = Pair(Image(np.zeros((3, 128, 160)) + np.arange(160), "CYX"), cells_pair.labels)
    with pytest.raises(SettingsError, match=r"1 channel.* 3"):
        Trainer([rgb], TrainConfig(**SMALL), model)


@pytest.mark.parametrize(
    "options",
    [
        {"network_options": {"features": [4, 8], "deep_supervision": True}},
        {"network_options": {"features": [4, 8], "padding": "valid"}, "patch": (48, 48)},
        {"ema": 0.9},
        {"schedule": "plateau"},
        {"clip": None},
    ],
)
def test_options_train_too(cells_pair, options):
    trainer, events = run([cells_pair], **{"steps": 3, **options})
    assert events[-1].step == 3
    assert torch.isfinite(weights(trainer.best_model())).all()


def test_one_class_is_refused_before_the_start(cells_pair):
    with pytest.raises(LabelsError, match="class"):
        Trainer([Pair(cells_pair.image, np.ones((128, 160), int))], TrainConfig(task="semantic"))


def test_class_weights_can_follow_the_frequencies(classes_pair):
    trainer = Trainer(
        [classes_pair],
        TrainConfig(
            **SMALL,
            task="semantic",
            steps=1,
            loss="ce",
            loss_options={"class_weights": "frequency"},
        ),
    )
    frequent, rare = trainer.model.task.criterion.class_weights
    assert frequent < 1 < rare


def test_rgb_trains(cells_pair):
    image = np.repeat(np.asarray(cells_pair.image.data)[..., None], 3, axis=-1)
    trainer, _ = run([Pair(Image(image, "YXC"), cells_pair.labels)], steps=1)
    assert trainer.best_model().channels == 3


def test_a_number_that_means_background_is_no_cell(cells_pair):
    labels = np.asarray(cells_pair.labels)
    marked = np.where(labels == 0, labels.dtype.type(65535), labels)
    marked_pair = Pair(cells_pair.image, marked)
    complete = Pair(cells_pair.image, labels, np.ones(labels.shape, bool))
    first = run([marked_pair], steps=3, background_id=65535)[0].best_model()
    second = run([complete], steps=3)[0].best_model()
    assert torch.equal(weights(first), weights(second))
    assert first.provenance["settings"]["background_id"] == 65535


@pytest.fixture
def nuclei_pair(painted_nuclei):
    image, labels = painted_nuclei
    return Pair(Image(image, "YX"), labels)


def some_of(pair, count):
    """Return a pair on which only some cells are painted."""
    labels = np.asarray(pair.labels)
    return Pair(pair.image, np.where(labels <= count, labels, 0))


def test_a_start_that_agrees_with_what_is_painted_is_not_made_worse(nuclei_pair, trained_model):
    """A good model, six painted cells, and a learning rate that ruins everything."""
    start = replace(trained_model, name="good")
    trainer, events = run([some_of(nuclei_pair, 6)], start, steps=4, learning_rate=1.0)
    kept = trainer.best_model()
    assert torch.equal(weights(kept), weights(start))
    assert (kept.provenance["step"], kept.provenance["steps"]) == (0, 4)
    assert trainer.verdict == events[-1].verdict
    assert "6 painted cells agree with good already: segment with it" in trainer.verdict
    assert kept.task == start.task


def test_a_start_is_a_candidate_of_the_held_out_labels(nuclei_pair, trained_model):
    start = replace(trained_model, name="good")
    trainer, events = run(
        [nuclei_pair], start, steps=4, learning_rate=1.0, validation=0.4, unpainted="background"
    )
    first = of(Validated, events)[0]
    assert (first.step, first.best) == (0, True)
    assert first.score > 0.5
    assert torch.equal(weights(trainer.best_model()), weights(start))
    assert "held-out cells do not show that the training made good better" in events[-1].verdict


def test_a_start_that_finds_nothing_is_replaced(nuclei_pair):
    few = some_of(nuclei_pair, 6)
    poor = run([few], steps=1)[0].best_model()
    trainer, _ = run([few], poor, steps=3)
    assert trainer.best_step == 3
    assert not torch.equal(weights(trainer.best_model()), weights(poor))


def test_large_cells_are_learnt_at_a_coarser_scale(painted_nuclei):
    image, labels = (np.kron(each[:, :96], np.ones((4, 4), each.dtype)) for each in painted_nuclei)
    pair = Pair(Image(image, "YX"), labels)
    trainer, events = run([pair], steps=2)
    (line,) = [line for line in events[0].chosen if line.startswith("Scale")]
    model = trainer.best_model()
    across, factor = np.median(diameters(labels)), model.network.reduction[0]
    assert (
        line == f"Scale: {factor} x {factor} pixels are one to the network, as the cells are large."
    )
    assert factor >= 2
    assert 24 <= across / factor < 48
    assert model.network(torch.zeros(1, 1, 64, 64)).shape == (1, 3, 64, 64)
    assert model.diameter == pytest.approx(across, rel=0.03)
    assert model.task.min_size % factor**2 == 0
    again, _ = run([pair], model, steps=1)
    assert again.best_model().network.reduction == model.network.reduction
