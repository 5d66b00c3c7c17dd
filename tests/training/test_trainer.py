from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from unet_napari.errors import LabelsError, ResourceError, SettingsError, UnetNapariWarning
from unet_napari.images import Image, nuclei
from unet_napari.labels.measure import diameters
from unet_napari.model.model import Model
from unet_napari.networks import exact_halo
from unet_napari.training import (
    AugmentConfig,
    Finished,
    Pair,
    Started,
    Step,
    TrainConfig,
    Trainer,
    Validated,
)

SMALL = {
    "device": "cpu",
    "patch": (32, 32),
    "batch": 2,
    "network_options": {"features": [4, 8]},
}


@pytest.fixture(scope="module")
def cells_pair():
    image, labels = nuclei((128, 160), count=60, seed=1)
    return Pair(Image(image, "YX", {"Y": 0.5, "X": 0.5}, name="nuclei"), labels)


@pytest.fixture(scope="module")
def classes_pair(cells_pair):
    return Pair(cells_pair.image, 1 + (np.asarray(cells_pair.labels) > 0))


def run(pairs, start_from=None, **settings):
    trainer = Trainer(pairs, TrainConfig(**{**SMALL, **settings}), start_from)
    return trainer, list(trainer.run())


def weights(model):
    return torch.cat([p.flatten().double() for p in model.network.state_dict().values()])


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def test_the_events_tell_the_whole_story(cells_pair):
    _, events = run([cells_pair], steps=6)
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    steps = of(Step, events)
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[-1].fraction == 1
    assert all(math.isfinite(step.loss) for step in steps)
    assert of(Validated, events)[-1].score_name == "AP50"
    assert events[-1].reason == "All 6 steps are done."
    for event in events:
        json.dumps(vars(event), allow_nan=False)
        assert isinstance(event.describe(), str)


def test_started_says_what_was_chosen(cells_pair):
    _, events = run([cells_pair], steps=1)
    text = events[0].describe()
    for word in ("Network: unet", "Patch: 32 x 32", "Batch: 2", "Learning rate", "Validation"):
        assert word in text
    assert re.search(r"Validation: the part at .* to \d+; all \d+ cells are judged\.", text)


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
def test_the_loss_falls(classes_pair, optimiser):
    _, events = run(
        [classes_pair],
        task="semantic",
        steps=60,
        optimiser=optimiser,
        schedule="poly",
        learning_rate=0.05 if optimiser == "sgd" else 0.01,
        augment=AugmentConfig.none(),
    )
    losses = [step.loss for step in of(Step, events)]
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])
    assert events[-1].score > 0.8


def test_a_3d_network_trains_on_a_stack():
    image, labels = nuclei((16, 48, 48), count=12, seed=1)
    pair = Pair(Image(image, "ZYX", {"Z": 2.0, "Y": 1.0, "X": 1.0}), labels)
    trainer, events = run(
        [pair], ndim=3, steps=3, patch=(8, 32, 32), network_options={"features": [4, 8]}
    )
    assert events[-1].step == 3
    model = trainer.best_model()
    assert (model.ndim, model.channels) == (3, 1)
    assert model.pixel_size == {"Z": 2.0, "Y": 1.0, "X": 1.0}


@pytest.mark.parametrize("budget", [{"steps": 8}, {"epochs": 1}])
def test_the_same_seed_gives_identical_weights(cells_pair, budget):
    options = {"features": [4, 8], "dropout": 0.2}
    first, second, other = (
        run([cells_pair], seed=seed, network_options=options, **budget)[0].best_model()
        for seed in (3, 3, 4)
    )
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


def test_the_callers_random_numbers_are_untouched(cells_pair):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trainer, _ = run([cells_pair], steps=2, network_options={"features": [4, 8], "dropout": 0.5})
    trainer.best_model()
    assert torch.equal(torch.rand(3), expected)


def test_how_often_a_model_is_asked_for_decides_nothing(cells_pair):
    settings = {**SMALL, "network_options": {"features": [4, 8], "dropout": 0.5}, "steps": 4}
    alone, asked = (Trainer([cells_pair], TrainConfig(**settings)) for _ in range(2))
    for _ in alone.run():
        pass
    for _ in asked.run():
        asked.best_model(thumbnail=False)
    assert torch.equal(weights(alone.model), weights(asked.model))


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
    learn = trainer._learner.step

    def keep(_network, _inputs, output):
        if output.requires_grad:
            output.retain_grad()
            logits.append(output)

    def step(batch, fraction):
        masks.append(batch.annotated)
        return learn(batch, fraction)

    trainer._learner.network.register_forward_hook(keep)
    monkeypatch.setattr(trainer._learner, "step", step)
    list(trainer.run())
    assert len(logits) == len(masks) == 4
    for output, annotated in zip(logits, masks, strict=True):
        unlabelled = ~annotated[:, None].expand_as(output)
        assert unlabelled.any()
        assert output.grad[unlabelled].abs().max() == 0
        assert output.grad[~unlabelled].abs().max() > 0


def test_out_of_memory_halves_the_batch_and_goes_on(cells_pair, monkeypatch):
    trainer = Trainer([cells_pair], TrainConfig(**{**SMALL, "batch": 4}, steps=2))
    learn = trainer._learner.step
    sizes = []

    def step(batch, fraction):
        sizes.append(len(batch.image))
        if len(batch.image) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return learn(batch, fraction)

    monkeypatch.setattr(trainer._learner, "step", step)
    with pytest.warns(UnetNapariWarning, match="goes on with"):
        events = list(trainer.run())
    assert sizes == [4, 2, 1, 1]
    assert events[-1].step == 2


def test_out_of_memory_with_a_single_patch_is_an_error(cells_pair, monkeypatch):
    trainer = Trainer([cells_pair], TrainConfig(**{**SMALL, "batch": 1}, steps=2))

    def step(_batch, _fraction):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer._learner, "step", step)
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

    monkeypatch.setattr(trainer._learner, "step", step)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        list(trainer.run())


def test_the_model_knows_where_it_comes_from(cells_pair):
    model = run([cells_pair], steps=2, seed=9)[0].best_model()
    provenance = model.provenance
    json.dumps(provenance, allow_nan=False)
    assert provenance["seed"] == 9
    assert provenance["steps"] == 2
    assert provenance["device"] == "cpu"
    assert provenance["finished"] == "All 2 steps are done."
    assert TrainConfig.from_dict(provenance["settings"]).steps == 2
    (data,) = provenance["data"]
    assert (data["name"], data["shape"]) == ("nuclei", [128, 160])
    assert len(data["sha256"]) == 64
    assert set(provenance["versions"]) >= {"unet-napari", "torch", "numpy"}
    assert model.thumbnail.dtype == np.uint8
    assert model.thumbnail.shape[2] == 3
    assert max(model.thumbnail.shape) <= 256


def test_a_finished_training_has_measured_its_halo_and_a_stopped_one_has_not(
    cells_pair, monkeypatch
):
    monkeypatch.setattr("unet_napari.training.trainer._HALO_SECONDS", 600)
    model = run([cells_pair], steps=2)[0].best_model()
    exact = exact_halo(model.network)
    assert all(0 < size <= bound for size, bound in zip(model.halo, exact, strict=True))
    assert model.provenance["halo_tolerance"] == 1e-3
    assert "measured" in model.info.describe()
    trainer = Trainer([cells_pair], TrainConfig(task="cells", ndim=2, steps=5))
    for event in trainer.run():
        if isinstance(event, Step):
            break
    assert trainer.best_model().halo is None


def test_the_model_knows_how_large_the_cells_were(cells_pair, classes_pair):
    sizes = np.unique(np.asarray(cells_pair.labels), return_counts=True)[1][1:]
    expected = 2 * np.sqrt(np.median(sizes) / np.pi)
    model = run([cells_pair], steps=1)[0].best_model()
    assert model.diameter == pytest.approx(expected, rel=0.02)
    assert run([classes_pair], steps=1, task="semantic")[0].best_model().diameter is None


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
            task_options={"criterion": {"name": "ce", "class_weights": "frequency"}},
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
