from __future__ import annotations

import pytest
import torch
from torch import nn

from unet_napari.training.schedule import Schedule, make_optimiser


@pytest.mark.parametrize("name", ["cosine", "poly", "step", "plateau"])
def test_the_rate_rises_during_the_warm_up(name):
    schedule = Schedule(name, warmup=0.1)
    assert [schedule.factor(f) for f in (0.0, 0.05)] == pytest.approx([0.0, 0.5])
    assert schedule.factor(0.1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "half", "end"), [("cosine", 0.5, 0.0), ("poly", 0.5**0.9, 0.0), ("step", 0.1, 0.01)]
)
def test_the_rate_falls_to_its_end(name, half, end):
    schedule = Schedule(name, warmup=0.0)
    assert schedule.factor(0.5) == pytest.approx(half)
    assert schedule.factor(1.0) == pytest.approx(end)
    assert schedule.factor(7.0) == pytest.approx(end)


def test_plateau_halves_the_rate_after_four_validations_without_progress():
    schedule = Schedule("plateau", warmup=0.0)
    rates = []
    for score in (0.5, 0.6, 0.6, 0.5, 0.4, 0.6, 0.7):
        schedule.judged(score)
        rates.append(schedule.factor(0.5))
    assert rates == [1, 1, 1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_norms_and_biases_are_spared_from_weight_decay(name, kind):
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    optimiser = make_optimiser(network, name, 0.1, 0.5)
    assert type(optimiser) is kind
    decayed, spared = optimiser.param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.5, 0.0)
    assert [p.ndim for p in decayed["params"]] == [4]
    assert [p.ndim for p in spared["params"]] == [1, 1, 1]
