"""A training that lives: paint joins it while it runs, and it rests when nothing changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from unet_napari.errors import LabelsError, UnetNapariWarning
from unet_napari.images import Image, nuclei
from unet_napari.options import OptionError
from unet_napari.training import Finished, Pair, Resting, Step, TrainConfig, Trainer, Validated

SMALL = {
    "device": "cpu",
    "patch": (32, 32),
    "batch": 2,
    "network_options": {"features": [4, 8]},
    "mixed_precision": False,
}


@pytest.fixture(scope="module")
def painted():
    return nuclei((96, 128), count=40, seed=1)


@pytest.fixture
def make_trainer(painted):
    image, labels = painted

    def make(painted_labels=labels, **settings):
        pair = Pair(Image(image, "YX", name="nuclei"), painted_labels)
        return Trainer([pair], TrainConfig(**{**SMALL, **settings}))

    return make


def until(events, kind):
    """Return the next event of a kind."""
    return next(event for event in events if isinstance(event, kind))


def test_a_live_training_goes_on_and_on_at_a_constant_rate(make_trainer):
    trainer = make_trainer(live=True, warmup=0.01)
    steps = [event for event in itertools.islice(trainer.run(), 60) if isinstance(event, Step)]
    rates = [event.learning_rate for event in steps]
    assert rates[0] < rates[5] < rates[12] == rates[-1] == max(rates)
    assert {event.fraction for event in steps} == {0.0}
    assert trainer.config.ema
    assert trainer.config.schedule == "constant"


def test_live_excludes_a_budget_and_a_schedule_that_ends():
    with pytest.raises(OptionError, match="steps and live exclude each other"):
        TrainConfig(live=True, steps=3)
    with pytest.raises(OptionError, match="poly ends with the budget"):
        TrainConfig(live=True, schedule="poly")
    assert TrainConfig(live=True).seconds is None
    again = TrainConfig.from_dict(TrainConfig(live=True).to_dict())
    assert again == TrainConfig(live=True)


def test_new_paint_is_seen_by_the_very_next_step(make_trainer, painted, monkeypatch):
    trainer = make_trainer(painted[1] * (painted[1] < 4), live=True)
    events = trainer.run()
    until(events, Step)
    seen = []
    learn = trainer._loop.learner.step
    monkeypatch.setattr(
        trainer._loop.learner, "step", lambda batch, f: seen.append(batch.labels) or learn(batch, f)
    )
    trainer.update(0, (40, 60), np.full((12, 12), 900))
    for _ in range(12):
        until(events, Step)
    assert any((labels == 900).any() for labels in seen)


def test_what_a_score_needs_is_counted_again_with_new_paint(make_trainer, painted):
    """The line said "3 of about 25 cells" until there was a score, whatever was painted."""
    few = painted[1] * (painted[1] < 4)
    trainer = make_trainer(few, live=True)
    events = trainer.run()
    until(events, Step)
    trainer.update(0, (40, 60), np.full((12, 12), 900))
    told = next(events)
    assert isinstance(told, Validated)
    assert told.score is None
    assert told.verdict == "paint more: 4 of about 25 cells that a score needs"
    assert isinstance(next(events), Step)
    trainer.update(0, (41, 61), np.full((2, 2), 900))  # no cell more: nothing new to say
    assert isinstance(next(events), Step)


def test_unpainted_pixels_get_no_gradient_after_an_update(make_trainer, painted, monkeypatch):
    trainer = make_trainer(live=True, augment={"resampled": 0.0, "recoloured": 0.0})
    events = trainer.run()
    until(events, Step)
    trainer.update(0, (10, 10), np.zeros((60, 60), int))
    learner, found = trainer._loop.learner, []

    def keep(_module, _inputs, output):
        if output.requires_grad:
            output.retain_grad()
            found.append(output)

    learner.network.register_forward_hook(keep)
    learn, batches = learner.step, []
    monkeypatch.setattr(learner, "step", lambda b, f: batches.append(b) or learn(b, f))
    for _ in range(8):
        until(events, Step)
    assert len(found) == len(batches) == 8
    for output, batch in zip(found, batches, strict=True):
        gradient = output.grad.abs().amax(dim=1)
        assert (gradient[~batch.annotated] == 0).all()
        assert (gradient[batch.annotated] > 0).any()


def test_it_rests_when_the_score_is_flat_and_wakes_at_a_stroke(make_trainer, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("unet_napari.training.budget.perf_counter", lambda: clock[0])
    monkeypatch.setattr("unet_napari.training.run.loop.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("unet_napari.training.judge.Judge.score", lambda *_: 0.5)
    trainer = make_trainer(live=True)
    steps, rested = 0, []
    for event in trainer.run():
        clock[0] += 1.0
        steps += isinstance(event, Step)
        if isinstance(event, Resting):
            rested.append((steps, event.score))
            trainer.update(0, (0, 0), np.full((3, 3), 800))
        if len(rested) == 2:
            break
    assert rested[0][1] == 0.5
    assert rested[0][0] >= 40
    assert rested[1][0] >= rested[0][0] + 40


def test_asked_for_more_it_goes_on_without_new_paint(make_trainer, monkeypatch):
    monkeypatch.setattr("unet_napari.training.run.stillness.Stillness.is_still", lambda *_: True)
    events = make_trainer(live=True).run()
    assert isinstance(until(events, Resting), Resting)
    monkeypatch.setattr("unet_napari.training.run.stillness.Stillness.is_still", lambda *_: False)
    assert isinstance(next(events), Step)


def test_all_paint_erased_waits_and_goes_on_when_there_is_paint(make_trainer, painted):
    trainer = make_trainer(live=True)
    events = trainer.run()
    until(events, Step)
    trainer.update(0, (0, 0), np.zeros_like(painted[1]))
    with pytest.warns(UnetNapariWarning) as told:
        until(events, Resting)
    assert [str(one.message).split(":")[0] for one in told] == [
        "Nothing is painted any more where labels are held out (the part at "
        + trainer.prepared.painted.division.message.partition("the part at ")[2] + ")",
        "Nothing that can be trained on is painted any more",
    ]  # fmt: skip
    trainer.update(0, (0, 0), painted[1])
    assert until(events, Step).step == 2


def test_without_any_paint_it_cannot_go_on(make_trainer, painted):
    trainer = make_trainer(live=True, validation=0)
    events = trainer.run()
    until(events, Step)
    trainer.update(0, (0, 0), np.zeros_like(painted[1]))
    with pytest.warns(UnetNapariWarning, match="the training waits until you paint"):
        until(events, Resting)
    with pytest.raises(LabelsError, match="waits until you paint"):
        next(events)


def test_the_best_weights_are_judged_again_by_new_labels(make_trainer, painted, monkeypatch):
    trainer = make_trainer(steps=100)
    monkeypatch.setattr("unet_napari.training.judge.Judge.uncertainty", lambda *_: 0.0)
    scores = iter([0.9, 0.2, 0.1])  # of the first weights, of them by the new labels, of others
    judged = []

    def score(_judge, network, _enough):
        judged.append(torch.cat([p.flatten() for p in network.state_dict().values()]).sum())
        return next(scores)

    monkeypatch.setattr("unet_napari.training.judge.Judge.score", score)
    events = trainer.run()
    assert until(events, Validated).score == 0.9
    (slab,) = trainer.prepared.painted.division.slabs.values()
    at = [2, 2]
    at[slab.axis] = slab.start
    trainer.update(0, at, np.full((4, 4), 700))
    event = until(events, Validated)
    assert (event.score, event.best) == (0.1, False)
    assert judged[1] == judged[0] != judged[2]
    assert (trainer.score, trainer.best_step) == (0.2, 5)


def test_a_new_class_is_told_once_with_the_remedy():
    labels = np.kron([[1, 2]] * 4, np.ones((24, 48), np.int32))
    image = np.random.default_rng(0).normal(size=labels.shape).astype(np.float32)
    trainer = Trainer(
        [Pair(Image(image, "YX"), labels)], TrainConfig(task="semantic", steps=6, **SMALL)
    )
    events = trainer.run()
    until(events, Step)
    trainer.update(0, (4, 4), np.full((9, 9), 3))
    with pytest.warns(UnetNapariWarning, match=r"does not know class 3, .* stop and start over"):
        until(events, Step)
    trainer.update(0, (24, 4), np.full((9, 9), 3))
    assert until(events, Finished).step == 6
    assert trainer.best_model().task.classes == (1, 2)


def test_the_average_follows_new_paint_faster(make_trainer):
    trainer = make_trainer(live=True)
    events = trainer.run()
    learner = trainer._loop.learner
    until(events, Step)
    learner._averaged = 5000

    def pull():
        before = learner.state()
        until(events, Step)
        kept, now, net = before, learner.state(), learner.network.state_dict()
        name = next(name for name in kept if name.endswith("weight"))
        moved, far = (now[name] - kept[name]).norm(), (net[name] - kept[name]).norm()
        return float(moved / far)

    assert pull() == pytest.approx(1 - trainer.config.ema, abs=1e-3)
    trainer.update(0, (0, 0), np.full((3, 3), 800))
    assert pull() > 0.1


def test_updates_can_be_taken_at_once_and_are_counted(make_trainer):
    trainer = make_trainer(live=True)
    before = trainer.take_updates()
    trainer.update(0, (0, 0), np.zeros((96, 128), int))
    with pytest.warns(UnetNapariWarning):
        assert trainer.take_updates() == (0, 0)
    assert min(before) > 100
