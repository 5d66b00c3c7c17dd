"""A loss that is added outside the package: this one file is all that it takes."""

from __future__ import annotations

import pytest
import torch

from unet_napari.tasks import make_task
from unet_napari.tasks.loss_catalogue import LOSSES, LossEntry
from unet_napari.tasks.losses import ExclusiveMaps, IndependentMaps, weighted_mean


def brier(maps: IndependentMaps | ExclusiveMaps) -> torch.Tensor:
    """Squared error of the probabilities (Brier 1950)."""
    error = (maps.probability - maps.truth) ** 2
    return weighted_mean(error, maps.weight.expand_as(error))


@pytest.fixture(autouse=True)
def brier_loss():
    """Add the loss for the time of a test."""
    code = f"{__name__}:brier"
    LOSSES.add(LossEntry("brier", "Squared error.", "Brier 1950", independent=code, exclusive=code))
    yield
    LOSSES.remove("brier")


@pytest.mark.parametrize("task", ["cells", "semantic"])
def test_both_tasks_learn_by_it(task):
    made = make_task({"name": task, "criterion": "brier"})
    labels = torch.tensor([[[1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 2, 2]]])
    target = made.encode(labels, torch.ones_like(labels, dtype=torch.bool))
    logits = torch.zeros(1, made.out_channels, 4, 4)
    truth = target.values if task == "cells" else torch.tensor([0.0])
    expected = ((0.5 - truth) ** 2).mean()
    torch.testing.assert_close(made.loss(logits, target), expected)


def test_a_sum_holds_it_beside_others():
    logits = torch.zeros(1, 2, 4, 4)
    labels = torch.ones(1, 4, 4, dtype=torch.int64)
    by_name = {}
    for name in ("ce", "dice", "brier", "ce+dice+brier"):
        made = make_task({"name": "semantic", "criterion": {"name": name, "alpha": 0.6}})
        by_name[name] = made.loss(logits, made.encode(labels, labels == 1))
    expected = 0.6 * by_name["ce"] + 0.2 * by_name["dice"] + 0.2 * by_name["brier"]
    torch.testing.assert_close(by_name["ce+dice+brier"], expected)


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(ValueError, match="There already is a loss named 'brier'"):
        LOSSES.add(LossEntry("brier", "", "", independent="m:f"))
