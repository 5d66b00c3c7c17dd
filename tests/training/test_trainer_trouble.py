"""What goes wrong in a training, and what is left of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from small_training import SMALL, of, run, weights
from unet_napari.errors import ResourceError, SettingsError, UnetNapariWarning
from unet_napari.training import (
    AugmentConfig,
    Pair,
    Step,
    TrainConfig,
    Trainer,
    Validated,
)


def test_a_first_step_of_no_number_is_an_error_and_no_model(cells_pair):
    trainer = Trainer([cells_pair], TrainConfig(**SMALL, steps=5))
    with torch.no_grad():
        next(trainer.model.network.parameters()).fill_(math.nan)
    with pytest.raises(SettingsError, match="very first step"):
        list(trainer.run())


@pytest.mark.parametrize("budget", [{"steps": 1}, {"seconds": 0.01}])
def test_a_single_step_trains(cells_pair, budget):
    trainer = Trainer([cells_pair], TrainConfig(**SMALL, **budget, validation=0))
    before = weights(trainer.model)
    steps = of(Step, list(trainer.run()))
    assert steps[0].learning_rate > 0
    moved = (weights(trainer.model) - before).abs()
    parameters = sum(p.numel() for p in trainer.model.network.parameters())
    assert (moved > 0).sum() > parameters / 2


def test_stopping_early_leaves_a_usable_model(cells_pair):
    trainer = Trainer([cells_pair], TrainConfig(**SMALL, steps=1000))
    events = trainer.run()
    for _ in range(5):
        next(events)
    events.close()
    model = trainer.best_model()
    assert model.provenance["steps"] == 4
    assert model.provenance["finished"] == "Stopped."


def test_the_best_weights_are_kept_and_among_equals_the_later(cells_pair, monkeypatch):
    scores = iter([0.2, 0.7, 0.57, 0.5])  # a difference of two is uncertain by 0.14
    monkeypatch.setattr("unet_napari.training.judge.Judge.uncertainty", lambda *_: 0.1)
    monkeypatch.setattr("unet_napari.training.judge.Judge.score", lambda *_: next(scores))
    monkeypatch.setattr("unet_napari.training.budget._VALIDATIONS", 4)
    trainer = Trainer([cells_pair], TrainConfig(**SMALL, steps=4))
    seen = []
    for event in trainer.run():
        if isinstance(event, Validated):
            seen.append((event.best, weights(trainer.model)))
    assert [best for best, _ in seen] == [True, True, True, False]
    model = trainer.best_model()
    assert torch.equal(weights(model), seen[2][1])
    assert model.provenance["score"] == 0.57


def test_patience_ends_a_training_that_gets_no_better(cells_pair, monkeypatch):
    scores = iter([0.5, 0.4, 0.4, 0.4, 0.4])
    monkeypatch.setattr("unet_napari.training.judge.Judge.score", lambda *_: next(scores))
    _, events = run([cells_pair], steps=20, patience=2)
    assert events[-1].step == 3
    assert events[-1].reason == "No better score in 2 validations."


def test_a_validation_without_a_score_is_done_twenty_times_and_moves_no_schedule(
    cells_pair, monkeypatch
):
    clock = [0.0]
    monkeypatch.setattr("unet_napari.training.budget.perf_counter", lambda: clock[0])
    looked = []

    def no_score(_judge, _network, _enough):
        looked.append(clock[0])

    monkeypatch.setattr("unet_napari.training.judge.Judge.score", no_score)
    trainer = Trainer([cells_pair], TrainConfig(**SMALL, seconds=100.0, schedule="plateau"))
    rates = []
    for event in trainer.run():
        clock[0] += 0.5
        if isinstance(event, Step):
            rates.append(event.learning_rate)
    assert 19 <= len(looked) <= 21
    assert rates[-1] == max(rates) > 0


def test_too_few_labels_are_said_once_and_the_last_weights_kept(cells_pair):
    labels = np.asarray(cells_pair.labels) * (np.asarray(cells_pair.labels) < 4)
    trainer, events = run([Pair(cells_pair.image, labels)], steps=40)
    assert events[0].validation == "too few labels to judge"
    (said,) = of(Validated, events)
    assert (said.score, said.message) == (None, "too few labels to judge")
    assert said.verdict == "paint more: 3 of about 25 cells that a score needs"
    assert events[-1].score is None
    assert torch.equal(weights(trainer.best_model()), weights(trainer.model))


def test_a_loss_that_is_no_number_ends_the_run_with_the_last_good_weights(cells_pair):
    trainer = Trainer([cells_pair], TrainConfig(**SMALL, steps=50, validation=0))
    events = trainer.run()
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, Step) and event.step == 5:
            with torch.no_grad():
                next(trainer.model.network.parameters()).fill_(math.nan)
    assert seen[-1].reason.startswith("The loss was no longer a number at step 6")
    assert torch.isfinite(weights(trainer.best_model())).all()


def test_a_time_budget_is_kept(cells_pair, monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr("unet_napari.training.budget.perf_counter", lambda: float(next(clock)))
    _, events = run([cells_pair], seconds=60.0)
    assert events[-1].reason == "The time is used up."
    assert 40 <= events[-1].seconds <= 75
    fractions = [step.fraction for step in of(Step, events)]
    assert fractions == sorted(fractions)


@pytest.mark.parametrize("task", ["cells", "semantic"])
def test_unlabelled_pixels_get_no_gradient(cells_pair, task, monkeypatch):
    """Through sampling, augmentation, encoding and loss, at the edge of the image too."""
    labels = np.asarray(cells_pair.labels)
    labels = labels if task == "cells" else np.where(labels % 3, labels % 3, 0)
    trainer = Trainer(
        [Pair(cells_pair.image, labels)],
        TrainConfig(**SMALL, task=task, steps=4, augment=AugmentConfig(resampled=1.0)),
    )
    logits, masks = [], []
    learn = trainer._loop.learner.step

    def keep(_network, _inputs, output):
        if output.requires_grad:
            output.retain_grad()
            logits.append(output)

    def step(batch, fraction):
        masks.append(batch.annotated)
        return learn(batch, fraction)

    trainer._loop.learner.network.register_forward_hook(keep)
    monkeypatch.setattr(trainer._loop.learner, "step", step)
    list(trainer.run())
    assert len(logits) == len(masks) == 4
    for output, annotated in zip(logits, masks, strict=True):
        unlabelled = ~annotated[:, None].expand_as(output)
        assert unlabelled.any()
        assert output.grad[unlabelled].abs().max() == 0
        assert output.grad[~unlabelled].abs().max() > 0


def test_out_of_memory_halves_the_batch_and_goes_on(cells_pair, monkeypatch):
    trainer = Trainer([cells_pair], TrainConfig(**{**SMALL, "batch": 4}, steps=2))
    learn = trainer._loop.learner.step
    sizes = []

    def step(batch, fraction):
        sizes.append(len(batch.image))
        if len(batch.image) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return learn(batch, fraction)

    monkeypatch.setattr(trainer._loop.learner, "step", step)
    with pytest.warns(UnetNapariWarning, match="goes on with"):
        events = list(trainer.run())
    assert sizes == [4, 2, 1, 1]
    assert events[-1].step == 2


def test_out_of_memory_with_a_single_patch_is_an_error(cells_pair, monkeypatch):
    trainer = Trainer([cells_pair], TrainConfig(**{**SMALL, "batch": 1}, steps=2))

    def step(_batch, _fraction):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer._loop.learner, "step", step)
    with pytest.raises(ResourceError, match="smaller patch"):
        list(trainer.run())


def test_out_of_memory_beside_the_steps_ends_no_training(cells_pair, monkeypatch):
    """In validation, for the thumbnail and in measuring the halo."""

    def full(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    trainer = Trainer([cells_pair], TrainConfig(**SMALL, steps=3))
    monkeypatch.setattr("unet_napari.training.judge.predict_sample", full)
    monkeypatch.setattr("unet_napari.training.data.patch_sheet.predict_sample", full)
    monkeypatch.setattr("unet_napari.training.needed_context.reach", full)
    with pytest.warns(UnetNapariWarning, match="without a score"):
        events = list(trainer.run())
    assert events[-1].step == 3
    (said,) = of(Validated, events)
    assert said.message == "no score: too little memory"
    model = trainer.best_model()
    assert (model.halo, model.thumbnail) == (None, None)
    assert model.provenance["step"] == 3


def test_another_runtime_error_is_not_taken_for_out_of_memory(cells_pair, monkeypatch):
    trainer = Trainer([cells_pair], TrainConfig(**SMALL, steps=2))

    def step(_batch, _fraction):
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(trainer._loop.learner, "step", step)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        list(trainer.run())
