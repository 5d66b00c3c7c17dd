from __future__ import annotations

import pytest

from unet_napari.training import TrainConfig
from unet_napari.training.budget import Budget


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [0.0]
    monkeypatch.setattr("unet_napari.training.budget.perf_counter", lambda: now[0])

    def put(seconds):
        now[0] = seconds

    return put


def test_epochs_count_in_steps():
    budget = Budget.of(TrainConfig(epochs=3), steps_per_epoch=10)
    assert (budget.steps, budget.seconds) == (30, None)
    assert [budget.fraction(step) for step in (0, 15, 30, 40)] == [0, 0.5, 1, 1]


def test_a_time_budget_sets_the_last_validation_aside(clock):
    budget = Budget.of(TrainConfig(seconds=100.0), steps_per_epoch=10)
    clock(50)
    assert budget.fraction(7) == pytest.approx(0.5)
    budget.validated(10)
    clock(90)
    assert budget.fraction(7) == 1
    assert budget.seconds_left(7) == 10


def test_a_step_has_the_rate_of_its_middle(clock):
    budget = Budget.of(TrainConfig(steps=4), steps_per_epoch=10)
    assert [budget.fraction_of_next(step) for step in range(4)] == [0.125, 0.375, 0.625, 0.875]
    budget = Budget.of(TrainConfig(seconds=100.0), steps_per_epoch=10)
    assert 0 < budget.fraction_of_next(0) < 0.01
    clock(20)
    assert budget.fraction_of_next(5) == pytest.approx(0.22)
    clock(99)  # also the last step teaches something
    assert budget.fraction_of_next(10) == pytest.approx(0.995)


def test_the_time_left_is_estimated_from_the_steps(clock):
    budget = Budget.of(TrainConfig(steps=40), steps_per_epoch=10)
    clock(20)
    assert budget.seconds_left(10) == pytest.approx(60)


def test_validation_takes_a_tenth_of_the_time_at_most(clock):
    budget = Budget.of(TrainConfig(seconds=100.0), steps_per_epoch=10)
    clock(5)
    assert budget.validation_due(1)
    budget.validated(2)
    clock(24)
    assert not budget.validation_due(2)
    clock(25)
    assert budget.validation_due(3)


def test_a_budget_in_steps_validates_by_their_number():
    budget = Budget.of(TrainConfig(steps=60), steps_per_epoch=10)
    assert [step for step in range(1, 13) if budget.validation_due(step)] == [3, 6, 9, 12]
