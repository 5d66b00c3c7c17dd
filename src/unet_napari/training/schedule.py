"""Optimisers, and how the learning rate goes over the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import nn

from unet_napari.training.optimisation_config import OptimiserName, ScheduleName

__all__ = ["Schedule", "make_optimiser"]

_STEPS = (0.5, 0.75)  # shares of the budget at which "step" divides the rate by ten
_POLY = 0.9  # exponent of nnU-Net and DeepLab
_PATIENCE = 4  # validations without a better score until "plateau" halves the rate


def make_optimiser(
    network: nn.Module, name: OptimiserName, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Make an optimiser that spares norms and biases from weight decay.

    Parameters
    ----------
    network
        Whose parameters are optimised.
    name
        ``"adamw"`` (Loshchilov & Hutter 2019), ``"adam"`` (Kingma & Ba 2015) or ``"sgd"`` with
        Nesterov momentum 0.9.
    learning_rate, weight_decay
        As in torch.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    match name:
        case "adamw":
            return torch.optim.AdamW(groups, lr=learning_rate)
        case "adam":
            return torch.optim.Adam(groups, lr=learning_rate)
        case "sgd":
            return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True)


@dataclass
class Schedule:
    """The learning rate as a share of its largest, over the share of the budget used.

    Because it knows only the share, a budget in seconds, epochs or steps is the same to it.

    Parameters
    ----------
    name
        ``"cosine"`` (Loshchilov & Hutter 2017), ``"poly"`` (``(1 - t) ** 0.9``), ``"step"``
        (a tenth from 50 %, a hundredth from 75 %) or ``"plateau"`` (halved after four
        validations without a better score).
    warmup
        Share of the budget in which the rate rises linearly from zero, before all of these.
    """

    name: ScheduleName
    warmup: float
    _plateau: float = field(default=1.0, init=False)
    _best: float = field(default=-math.inf, init=False)
    _waited: int = field(default=0, init=False)

    def factor(self, fraction: float) -> float:
        """Return the share of the largest rate, 0 to 1, at a `fraction` of the budget."""
        if fraction < self.warmup:
            return fraction / self.warmup
        done = min(1.0, (fraction - self.warmup) / (1 - self.warmup))
        match self.name:
            case "cosine":
                return 0.5 * (1 + math.cos(math.pi * done))
            case "poly":
                return float((1 - done) ** _POLY)
            case "step":
                return float(0.1 ** sum(fraction >= start for start in _STEPS))
            case "plateau":
                return self._plateau

    def judged(self, score: float) -> None:
        """Take note of a validation score."""
        self._waited = 0 if score > self._best else self._waited + 1
        self._best = max(self._best, score)
        if self._waited >= _PATIENCE:
            self._waited = 0
            self._plateau /= 2
