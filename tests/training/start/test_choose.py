"""A training chooses its start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from unet_napari.errors import UnetNapariWarning
from unet_napari.images import Image
from unet_napari.model import info
from unet_napari.networks import build_network
from unet_napari.training import Pair, TrainConfig, Trainer
from unet_napari.training.setup.prepare import prepare
from unet_napari.training.start.choose import choose_start
from unet_napari.training.start.trial import StartTrial

SETTINGS = {"device": "cpu", "patch": (32, 32), "batch": 2}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """An empty library, to which models can be saved."""
    own = tmp_path / "models"
    own.mkdir()
    monkeypatch.setattr(info, "_BUNDLED_FOLDER", tmp_path / "bundled")
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(own))
    monkeypatch.setattr(info.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    return own


@pytest.fixture
def pair(painted_nuclei):
    """An image with six cells painted."""
    image, labels = painted_nuclei
    return Pair(Image(image, "YX"), np.where(labels <= 6, labels, 0))


@pytest.fixture
def untrained(trained_model):
    """A model that knows nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = build_network(trained_model.network.name, trained_model.network.options)
    return replace(trained_model, network=network.eval())


def choose(pair, **settings):
    return choose_start([pair], TrainConfig(**{**SETTINGS, "steps": 200, **settings}), "auto")


def weights(network):
    return torch.cat([p.flatten() for p in network.parameters()])


def test_what_knows_the_cells_is_chosen_and_named(pair, library, trained_model, untrained):
    trained_model.save(library / "good.unet")
    untrained.save(library / "bad.unet")
    chosen = choose(pair)
    assert chosen.model.name == "good"
    assert torch.equal(weights(chosen.model.network), weights(trained_model.network))
    assert chosen.losses.keys() == {"good", "bad", "nothing"}
    assert chosen.losses["good"] < min(chosen.losses["bad"], chosen.losses["nothing"])
    assert chosen.about["name"] == "good"
    assert chosen.reason.startswith("it explains what is painted best (losses: ")


def test_the_choice_is_repeatable(pair, library, trained_model):
    trained_model.save(library / "good.unet")
    state = torch.get_rng_state()
    assert choose(pair).losses == choose(pair).losses
    assert torch.equal(torch.get_rng_state(), state)
    assert choose(pair, seed=1).losses != choose(pair).losses


def test_a_training_says_what_it_starts_from(pair, library, trained_model):
    trained_model.save(library / "good.unet")
    trainer = Trainer([pair], TrainConfig(**SETTINGS, steps=200), "auto")
    started = next(trainer.run())
    assert started.start == "good"
    assert started.chosen[0].startswith("Start: good: it explains what is painted best")
    assert trainer.model.provenance["start"]["name"] == "good"
    # It is the training that one gets who names the model.
    named = Trainer([pair], TrainConfig(**SETTINGS, steps=200), replace(trained_model, name="good"))
    assert torch.equal(weights(named.model.network), weights(trainer.model.network))
    assert next(named.run()).start == "good"


def test_a_chosen_start_that_agrees_stays(pair, library, trained_model):
    trained_model.save(library / "good.unet")
    trainer = Trainer([pair], TrainConfig(**SETTINGS, steps=130), "auto")
    list(trainer.run())
    assert trainer.best_step == 0
    assert "6 painted cells agree with good already: segment with it" in trainer.verdict


def test_nothing_is_chosen_where_no_model_fits(pair, library, trained_model):
    trained_model.save(library / "good.unet")
    (library / "broken.unet").write_bytes(b"no model")
    rgb = Pair(Image(np.stack([pair.image.data] * 3), "CYX"), pair.labels)
    assert choose(rgb).model is None
    assert choose(pair, network_options={"features": [4, 8]}).model is None
    for short in ({"steps": 100}, {"steps": None, "seconds": 5}, {"steps": None, "epochs": 2}):
        assert choose(pair, **short).losses == {}
    started = next(Trainer([rgb], TrainConfig(**SETTINGS, steps=200), "auto").run())
    assert (started.start, started.chosen[0][:8]) == ("", "Network:")


def test_a_training_without_an_end_chooses_too(pair, library, trained_model):
    trained_model.save(library / "good.unet")
    assert choose(pair, steps=None, live=True).model.name == "good"


def test_a_damaged_file_is_no_candidate(pair, library, trained_model):
    trained_model.save(library / "good.unet")
    damaged = bytearray((library / "good.unet").read_bytes())
    damaged[-100] ^= 1  # a weight, so that its description can still be read
    (library / "damaged.unet").write_bytes(damaged)
    assert choose(pair).losses.keys() == {"good", "nothing"}


def test_large_cells_are_tried_at_the_scale_of_the_training(painted_nuclei, library, trained_model):
    image, labels = (np.kron(each[:, :96], np.ones((4, 4), each.dtype)) for each in painted_nuclei)
    trained_model.save(library / "good.unet")
    chosen = choose(Pair(Image(image, "YX"), labels))
    assert chosen.model.name == "good"
    factor = chosen.model.network.reduction[0]
    assert factor >= 2
    assert chosen.model.diameter == pytest.approx(trained_model.diameter * factor)
    assert chosen.model.task.min_size >= trained_model.task.min_size * factor**2
    assert trained_model.network.reduction == (1, 1)


def test_a_model_that_is_asked_for_works_at_the_scale_of_cells_that_it_does_not_know(
    painted_nuclei, trained_model
):
    image, labels = (np.kron(each[:, :96], np.ones((4, 4), each.dtype)) for each in painted_nuclei)
    settings = TrainConfig(**SETTINGS, steps=200)
    large = choose_start([Pair(Image(image, "YX"), labels)], settings, trained_model).model
    assert large.network.reduction[0] >= 2
    smallest = np.unique(labels, return_counts=True)[1].min()
    assert trained_model.task.min_size < smallest / 8 < large.task.min_size <= smallest
    usual = choose_start([Pair(Image(painted_nuclei[0], "YX"), painted_nuclei[1])], settings, large)
    assert usual.model.network.reduction == (1, 1)
    assert usual.model.diameter == pytest.approx(trained_model.diameter)
    same = choose_start([Pair(Image(image, "YX"), labels)], settings, large)
    assert same.model is large
    assert same.refine


@pytest.mark.parametrize(("times", "share"), [(1, 0.25), (4, 1)])
def test_a_start_that_does_not_know_the_sizes_has_the_full_learning_rate(
    painted_nuclei, trained_model, times, share
):
    block = np.ones((times, times), int)
    image, labels = (np.kron(each[:, :96], block.astype(each.dtype)) for each in painted_nuclei)
    pairs = [Pair(Image(image, "YX"), labels)]
    rates = [
        Trainer(pairs, TrainConfig(**SETTINGS, steps=200), start).prepared.setup.learning_rate
        for start in (None, trained_model)
    ]
    assert rates[1] == share * rates[0]


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [
        ({"a": 0.2, "b": 0.3, "nothing": 0.7}, "a"),
        ({"a": 0.4, "b": 0.3, "nothing": 0.7}, "b"),
        ({"a": 0.4, "b": 0.5, "nothing": 0.7}, None),
        ({"a": 0.9, "b": 0.8, "nothing": 0.7}, None),
    ],
)
def test_a_model_must_be_clearly_better_than_nothing(
    pair, library, trained_model, monkeypatch, losses, chosen
):
    for name in ("a", "b"):
        trained_model.save(library / f"{name}.unet")
    monkeypatch.setattr(StartTrial, "loss", lambda trial, _: losses[trial.name])
    monkeypatch.setattr(StartTrial, "step", lambda *_: None)
    found = choose(pair)
    assert found.model is None if chosen is None else found.model.name == chosen
    assert found.losses == losses
    assert found.reason


def test_what_there_is_to_warn_of_is_said_once(pair, library, trained_model):
    trained_model.save(library / "good.unet")
    image = np.asarray(pair.image.data, float).copy()
    image[0, :5] = np.nan
    with pytest.warns(UnetNapariWarning, match="NaN") as told:
        Trainer([Pair(Image(image, "YX"), pair.labels)], TrainConfig(**SETTINGS, steps=200), "auto")
    assert len(told) == 1


def test_what_is_held_out_has_no_say(painted_nuclei, library, trained_model, monkeypatch):
    trained_model.save(library / "good.unet")
    image, labels = painted_nuclei
    everything = Pair(Image(image, "YX"), labels)
    seen = set()

    def look(trial, patches):
        seen.update(patches.labels[patches.annotated].unique().tolist())
        return 1.0

    monkeypatch.setattr(StartTrial, "step", look)
    monkeypatch.setattr(StartTrial, "loss", look)
    settings = {"unpainted": "background", "validation": 0.4, "steps": 400}
    choose(everything, **settings)
    config = TrainConfig(**{**SETTINGS, **settings})
    held_out = set()
    for sample in prepare([everything], config, None).split.validation:
        held_out.update(np.unique(sample.labels[sample.annotated]).tolist())
    assert len(held_out) > 5
    assert len(seen) > 5
    assert held_out & seen <= {0}
