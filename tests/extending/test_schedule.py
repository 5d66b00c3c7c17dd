"""A schedule and an optimiser that are added outside the package, in this one file."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unet_napari.errors import SettingsError
from unet_napari.training import TrainConfig
from unet_napari.training.schedule import (
    OPTIMISERS,
    SCHEDULES,
    OptimiserEntry,
    RateShape,
    Schedule,
    ScheduleEntry,
    make_optimiser,
)


class Linear(RateShape):
    """A straight line from 1 to 0."""

    def factor(self, done: float, fraction: float) -> float:
        """Return what is left of the budget."""
        del fraction
        return 1 - done


@pytest.fixture(autouse=True)
def kinds():
    """Add both for the time of a test."""
    SCHEDULES.add(ScheduleEntry("linear", "A straight line.", Linear))
    OPTIMISERS.add(OptimiserEntry("rmsprop", "Hinton", 1e-3, "torch.optim:RMSprop", {"alpha": 0.9}))
    yield
    SCHEDULES.remove("linear")
    OPTIMISERS.remove("rmsprop")


def test_a_schedule_runs_after_the_warm_up():
    schedule = Schedule("linear", warmup=0.2)
    assert [schedule.factor(f) for f in (0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.5, 1, 0.5, 0])


def test_an_optimiser_is_made_with_its_options():
    made = make_optimiser(nn.Conv2d(1, 1, 3), "rmsprop", 0.1, 0.5)
    assert type(made) is torch.optim.RMSprop
    assert [group["alpha"] for group in made.param_groups] == [0.9, 0.9]


def test_settings_accept_both():
    config = TrainConfig(schedule="linear", optimiser="rmsprop")
    assert TrainConfig.from_dict(config.to_dict()) == config
    with pytest.raises(SettingsError, match=r"schedule must be one of cosine, .*linear, not 'up'"):
        TrainConfig(schedule="up")
