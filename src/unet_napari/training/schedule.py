"""Optimisers, and how the learning rate goes over the budget. No torch when it is loaded.

To add a schedule, write a class with the methods of `RateShape` and add an entry to `SCHEDULES`. To
add an optimiser, add an entry to `OPTIMISERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unet_napari.registry import Registry, load_object

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

__all__ = [
    "OPTIMISERS",
    "SCHEDULES",
    "OptimiserEntry",
    "RateShape",
    "Schedule",
    "ScheduleEntry",
    "make_optimiser",
]

_STEP_STARTS = (0.5, 0.75)  # shares of the budget at which "step" divides the rate by ten
_POLY_EXPONENT = 0.9  # the one of nnU-Net and DeepLab
_PLATEAU_VALIDATIONS = 4  # validations without a better score until "plateau" halves the rate


class RateShape:
    """The learning rate after the warm-up, as a share of its largest."""

    def factor(self, done: float, fraction: float) -> float:
        """Return the share of the largest rate, 0 to 1.

        Parameters
        ----------
        done : float
            Share that is used of the budget after the warm-up, 0 to 1.
        fraction : float
            Share that is used of the whole budget; may exceed 1.
        """
        raise NotImplementedError

    def judged(self, score: float) -> None:
        """Take note of a validation score; most shapes do not care."""

    def snapshot(self) -> dict[str, Any]:
        """Return what it has noted, as JSON-able values."""
        return {}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on after `snapshot`."""


class Cosine(RateShape):
    """Half a wave, from 1 to 0 (Loshchilov & Hutter 2017)."""

    def factor(self, done: float, fraction: float) -> float:
        """Return the share at a part of the budget, see `RateShape`."""
        del fraction
        return 0.5 * (1 + math.cos(math.pi * done))


class Poly(RateShape):
    """``(1 - t) ** 0.9``."""

    def factor(self, done: float, fraction: float) -> float:
        """Return the share at a part of the budget, see `RateShape`."""
        del fraction
        return float((1 - done) ** _POLY_EXPONENT)


class Steps(RateShape):
    """A tenth from one half of the whole budget on, a hundredth from three quarters on."""

    def factor(self, done: float, fraction: float) -> float:
        """Return the share at a part of the budget, see `RateShape`."""
        del done
        return float(0.1 ** sum(fraction >= start for start in _STEP_STARTS))


class Constant(RateShape):
    """Half of the largest rate throughout, which leaves it to averaged weights to settle.

    At the whole of it the prediction beside new paint changed to and fro.
    """

    def factor(self, done: float, fraction: float) -> float:
        """Return one half."""
        del done, fraction
        return 0.5


class Plateau(RateShape):
    """Halved after four validations without a better score."""

    def __init__(self) -> None:
        self._share = 1.0
        self._best = -math.inf
        self._waited = 0

    def factor(self, done: float, fraction: float) -> float:
        """Return the share that the scores so far have left."""
        del done, fraction
        return self._share

    def judged(self, score: float) -> None:
        """Halve the rate if the last scores were none of them better."""
        self._waited = 0 if score > self._best else self._waited + 1
        self._best = max(self._best, score)
        if self._waited >= _PLATEAU_VALIDATIONS:
            self._waited = 0
            self._share /= 2

    def snapshot(self) -> dict[str, Any]:
        """Return the share that is left, and what it is waiting for."""
        best = None if math.isinf(self._best) else self._best
        return {"share": self._share, "best": best, "waited": self._waited}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on after `snapshot`; that of another shape says nothing."""
        self._share = float(snapshot.get("share", 1.0))
        best = snapshot.get("best")
        self._best = -math.inf if best is None else float(best)
        self._waited = int(snapshot.get("waited", 0))


@dataclass(frozen=True)
class ScheduleEntry:
    """One schedule as a person chooses it.

    Attributes
    ----------
    name : str
        The name in settings.
    description : str
        What it does, in one line.
    make : callable
        Returns the shape of a training that begins.
    """

    name: str
    description: str
    make: Callable[[], RateShape]


SCHEDULES: Registry[ScheduleEntry] = Registry(
    "schedule",
    (
        ScheduleEntry("cosine", "Half a cosine wave, which ends at zero with the budget.", Cosine),
        ScheduleEntry("poly", "A nearly straight line that ends at zero.", Poly),
        ScheduleEntry("step", "A tenth from 50 % of the budget, a hundredth from 75 %.", Steps),
        ScheduleEntry("constant", "Half of the largest rate, for averaged weights.", Constant),
        ScheduleEntry("plateau", "Halved after four validations without a better score.", Plateau),
    ),
)


class Schedule:
    """The learning rate as a share of its largest, over the share of the budget used.

    Because it knows only the share, a budget in seconds, epochs or steps is the same to it.

    Parameters
    ----------
    name : str
        A name in `SCHEDULES`.
    warmup : float
        Share of the budget in which the rate rises linearly from zero, before all schedules.

    Raises
    ------
    SettingsError
        If there is no such schedule.
    """

    def __init__(self, name: str, warmup: float) -> None:
        self._warmup = warmup
        self._shape = SCHEDULES.find(name).make()

    def factor(self, fraction: float) -> float:
        """Return the share of the largest rate, 0 to 1, at a `fraction` of the budget."""
        if fraction < self._warmup:
            return fraction / self._warmup * self._shape.factor(0.0, fraction)
        done = min(1.0, (fraction - self._warmup) / (1 - self._warmup))
        return self._shape.factor(done, fraction)

    def judged(self, score: float) -> None:
        """Take note of a validation score."""
        self._shape.judged(score)

    def snapshot(self) -> dict[str, Any]:
        """Return what the scores have changed, as JSON-able values."""
        return self._shape.snapshot()

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on after `snapshot`."""
        self._shape.restore(snapshot)


@dataclass(frozen=True)
class OptimiserEntry:
    """One optimiser as a person chooses it.

    Attributes
    ----------
    name : str
        The name in settings.
    source : str
        Its source, such as authors, year and arXiv number.
    learning_rate : float
        Largest learning rate of a training from scratch, unless another one is asked for.
    implementation : str
        Its class, called as those of torch, as ``"package.module:name"``.
    options : mapping
        Further arguments of the class.
    """

    name: str
    source: str
    learning_rate: float
    implementation: str
    options: Mapping[str, Any] = field(default_factory=dict)


# Of adaptive optimisers 3e-3 is a high rate: few steps must go far.
OPTIMISERS: Registry[OptimiserEntry] = Registry(
    "optimiser",
    (
        OptimiserEntry("adamw", "Loshchilov & Hutter 2019", 3e-3, "torch.optim:AdamW"),
        OptimiserEntry("adam", "Kingma & Ba 2015", 3e-3, "torch.optim:Adam"),
        OptimiserEntry(
            "sgd",
            "stochastic gradient descent with Nesterov momentum",
            1e-2,
            "torch.optim:SGD",
            {"momentum": 0.9, "nesterov": True},
        ),
    ),
)


def make_optimiser(
    network: nn.Module, name: str, learning_rate: float, weight_decay: float
) -> Optimizer:
    """Make an optimiser that spares norms and biases from weight decay.

    Parameters
    ----------
    network : Module
        The network whose parameters are optimised.
    name : str
        A name in `OPTIMISERS`.
    learning_rate, weight_decay : float
        Values as torch takes them.

    Raises
    ------
    SettingsError
        If there is no such optimiser.
    """
    entry = OPTIMISERS.find(name)
    make = load_object(entry.implementation, f"the optimiser {name!r}")
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser: Optimizer = make(groups, lr=learning_rate, **entry.options)
    return optimiser
