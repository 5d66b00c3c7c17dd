from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
import torch

from small_training import SMALL, of, run, weights
from unet_napari.images import Image, nuclei
from unet_napari.model.description import describe_model
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
    monkeypatch.setattr("unet_napari.training.run.loop._HALO_SECONDS", 600)
    model = run([cells_pair], steps=2)[0].best_model()
    exact = exact_halo(model.network)
    assert all(0 < size <= bound for size, bound in zip(model.halo, exact, strict=True))
    assert model.provenance["halo_tolerance"] == 1e-3
    assert "measured" in describe_model(model.info)
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
