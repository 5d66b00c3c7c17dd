"""A training that was stopped goes on as if it had not been."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from unet_napari.errors import LabelsError, ModelFileError, SettingsError, UnetNapariWarning
from unet_napari.images import Image, nuclei
from unet_napari.training import Pair, Step, TrainConfig, Trainer, Validated
from unet_napari.training.state.kept_state import KeptState
from unet_napari.training.state.resume import resume_training
from unet_napari.training.state.state_file import painted_in_state, read_state_head, write_state

SMALL = {
    "device": "cpu",
    "patch": (32, 32),
    "batch": 2,
    "network_options": {"features": [4, 8], "dropout": 0.1},
    "mixed_precision": False,
}


@pytest.fixture(scope="module")
def painted():
    return nuclei((96, 128), count=40, seed=1)


def pair_of(painted, labels=None):
    return Pair(Image(painted[0], "YX", name="nuclei"), painted[1] if labels is None else labels)


def told(trainer, steps=None):
    """Train for so many steps; return losses, rates and scores by step."""
    curve = []
    for event in trainer.run():
        if isinstance(event, Step):
            curve.append((event.step, event.loss, event.learning_rate))
            if event.step == steps:
                break
        elif isinstance(event, Validated):
            curve.append((event.step, event.score, event.best))
    return curve


def keep(trainer, path):
    KeptState(trainer, path, "my cells", path.with_suffix(".unet")).write()
    return path


def same_weights(one, other):
    states = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


@pytest.mark.parametrize("stop", [1, 10, 13])
@pytest.mark.parametrize(
    "settings",
    [{}, {"ema": 0.9, "schedule": "plateau"}, {"optimiser": "sgd", "validation": 0.0}],
)
def test_the_curve_is_that_of_an_uninterrupted_training(painted, tmp_path, settings, stop):
    config = TrainConfig(**{**SMALL, "steps": 20, **settings})
    whole = Trainer([pair_of(painted)], config)
    expected = told(whole)
    first = Trainer([pair_of(painted)], config)
    begun = told(first, stop)
    path = keep(first, tmp_path / "my.state")
    second = resume_training([pair_of(painted)], path, {"steps": 20})
    assert begun + told(second) == expected
    assert same_weights(second.best_model(), whole.best_model())
    assert second.best_model().task == whole.best_model().task
    assert second.curve.losses == whole.curve.losses
    assert second.steps == 20


def test_a_start_goes_on_too(painted, trained_model, tmp_path):
    labels = painted[1] * (painted[1] < 9)
    config = TrainConfig(device="cpu", steps=8, mixed_precision=False, batch=2, patch=(32, 32))
    whole = Trainer([pair_of(painted, labels)], config, trained_model)
    expected = told(whole)
    first = Trainer([pair_of(painted, labels)], config, trained_model)
    begun = told(first, 3)
    second = resume_training([pair_of(painted, labels)], keep(first, tmp_path / "a.state"))
    assert begun + told(second) == expected
    assert same_weights(second.best_model(), whole.best_model())
    assert second.best_model().provenance["start"]["name"] == trained_model.name


def test_paint_that_joined_before_the_stop_is_there_after_it(painted, tmp_path):
    """Also what was erased, and the preference for new paint."""
    config = TrainConfig(**SMALL, steps=20)
    box = np.full((9, 9), 700)

    def begin():
        trainer = Trainer([pair_of(painted)], config)
        events = trainer.run()
        next(event for event in events if isinstance(event, Step))
        trainer.update(0, (40, 40), box)
        trainer.update(0, (0, 0), np.zeros((20, 20), int))
        return trainer, events

    _, events = begin()
    expected = [event.loss for event in events if isinstance(event, Step)]
    first, events = begin()
    begun = [next(e for e in events if isinstance(e, Step)).loss for _ in range(3)]
    labels = painted[1].copy()
    labels[40:49, 40:49] = 700
    labels[:20, :20] = 0
    second = resume_training([pair_of(painted, labels)], keep(first, tmp_path / "a.state"))
    after = [loss for _, loss, rate in told(second) if not isinstance(rate, bool)]
    assert begun + after == expected


def test_paint_since_then_joins(painted, tmp_path):
    first = Trainer([pair_of(painted)], TrainConfig(**SMALL, steps=20))
    told(first, 3)
    labels = painted[1].copy()
    labels[40:49, 40:49] = 700
    labels[painted[1] == 5] = 0
    more = Pair(Image(nuclei((96, 128), count=40, seed=9)[0], "YX", name="more"), labels)
    path = keep(first, tmp_path / "a.state")
    second = resume_training([more, pair_of(painted, labels)], path)
    second.take_updates()
    data = second.prepared.painted
    assert [pair.image.name for pair in data.pairs] == ["nuclei", "more"]
    np.testing.assert_array_equal(data.paint(0).labels[...], labels)
    assert data.division.slabs == first.prepared.painted.division.slabs
    second.update(0, (0, 0), np.full((2, 2), 800))  # the first of those that were given
    second.take_updates()
    assert data.paint(1).labels[1, 1] == 800


def test_the_head_says_what_there_is(painted, tmp_path):
    trainer = Trainer([pair_of(painted)], TrainConfig(**SMALL, steps=20))
    curve = told(trainer, 7)
    path = keep(trainer, tmp_path / "my cells.state")
    head = read_state_head(path)
    assert (head.model_name, head.model_path) == ("my cells", str(tmp_path / "my cells.unet"))
    assert (head.task, head.ndim, head.step, head.score) == ("cells", 2, 7, trainer.score)
    assert head.painted == (np.count_nonzero(painted[1]),)
    assert head.curve.losses == tuple((s, x) for s, x, rate in curve if not isinstance(rate, bool))
    assert TrainConfig.from_dict(head.config) == trainer.config
    labels, annotated = painted_in_state(path, 0)
    np.testing.assert_array_equal(labels[...], painted[1])
    assert annotated is None


def test_another_budget_begins_anew(painted, tmp_path):
    first = Trainer([pair_of(painted)], TrainConfig(**SMALL, steps=5))
    told(first)
    path = keep(first, tmp_path / "a.state")
    assert told(resume_training([pair_of(painted)], path)) == []
    second = resume_training([pair_of(painted)], path, {"steps": 3, "device": "cpu"})
    steps = [step for step, _, rate in told(second) if not isinstance(rate, bool)]
    assert steps == [6, 7, 8]
    third = resume_training([pair_of(painted)], path, {"live": True})
    assert third.config.live
    assert next(step for step, *_ in told(third, 7)) == 6


def test_what_cannot_be_changed_is_told(painted, tmp_path):
    first = Trainer([pair_of(painted)], TrainConfig(**SMALL, steps=5))
    told(first, 1)
    path = keep(first, tmp_path / "a.state")
    with pytest.raises(SettingsError, match="has task cells, not semantic: start over"):
        resume_training([pair_of(painted)], path, {"task": "semantic"})
    with pytest.warns(UnetNapariWarning, match="not with another batch, seed: start over"):
        resume_training([pair_of(painted)], path, {"seed": 3, "batch": 7})
    other = Pair(Image(nuclei((96, 128), count=4, seed=2)[0], "YX"), painted[1])
    with pytest.raises(LabelsError, match=r"was on other images \(nuclei\): give these, or start"):
        resume_training([other], path)


def test_an_image_that_is_missing_is_told(painted, tmp_path):
    other = Pair(Image(nuclei((96, 128), count=4, seed=2)[0], "YX", name="gone"), painted[1])
    first = Trainer([other, pair_of(painted)], TrainConfig(**SMALL, steps=6))
    told(first, 1)
    path = keep(first, tmp_path / "a.state")
    with pytest.warns(UnetNapariWarning, match="goes on without gone, which is not there"):
        second = resume_training([pair_of(painted)], path)
    events = list(second.run())
    assert events[0].chosen[0] == "Goes on after step 1."
    assert events[-1].step == 6


def test_a_file_that_lacks_something_is_refused(painted, tmp_path):
    path = tmp_path / "a.state"
    first = Trainer([pair_of(painted)], TrainConfig(**SMALL, steps=5))
    told(first, 1)
    keep(first, path)
    from unet_napari.training.state.state_file import open_state

    with open_state(path) as file:
        facts = dict(file.facts)
        arrays = {name: file.read(name) for name in file.names}
    for name in ("decisions", "training"):
        write_state(path, {**facts, name: {}}, arrays)
        with pytest.raises(ModelFileError, match=r"cannot be continued: .* Start over"):
            resume_training([pair_of(painted)], path)
    weights = {n: a for n, a in arrays.items() if not n.startswith("training.learner.network")}
    write_state(path, facts, weights)
    with pytest.raises(ModelFileError, match=r"cannot be continued: it lacks"):
        resume_training([pair_of(painted)], path)


KILLED = """
import sys
from pathlib import Path
from tests_of_resume import SMALL, keep, pair_of
from unet_napari.images import nuclei
from unet_napari.training import Step, TrainConfig, Trainer

trainer = Trainer([pair_of(nuclei((96, 128), count=40, seed=1))], TrainConfig(**SMALL, steps=20))
for event in trainer.run():
    if isinstance(event, Step):
        keep(trainer, Path(sys.argv[1]))
        print(event.step, flush=True)
        if event.step == 6:
            sys.stdin.read()
"""


def test_after_a_kill_it_goes_on_from_the_last_state(painted, tmp_path):
    (tmp_path / "tests_of_resume.py").write_text(Path(__file__).read_text("utf-8"))
    path = tmp_path / "a.state"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    while process.stdout.readline().strip() != "6":
        assert process.poll() is None
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    expected = told(Trainer([pair_of(painted)], TrainConfig(**SMALL, steps=20)))
    second = resume_training([pair_of(painted)], path)
    sixth = next(n for n, one in enumerate(expected) if one[0] == 6)
    assert told(second) == expected[sixth + 1 :]


def test_an_image_that_has_left_is_not_missed_and_may_come_back(painted, tmp_path):
    other = Pair(Image(nuclei((96, 128), count=4, seed=2)[0], "YX", name="left"), painted[1])
    first = Trainer([pair_of(painted), other], TrainConfig(**SMALL, steps=6))
    told(first, 1)
    first.remove(1)
    first.take_updates()
    path = keep(first, tmp_path / "a.state")
    assert [image.removed for image in read_state_head(path).images] == [False, True]
    second = resume_training([pair_of(painted)], path)
    second.take_updates()
    assert {sample.group for sample in second.prepared.painted.samples} == {0}
    third = resume_training([pair_of(painted), other], path)
    third.take_updates()
    np.testing.assert_array_equal(third.prepared.painted.paint(1).labels[...], painted[1])
