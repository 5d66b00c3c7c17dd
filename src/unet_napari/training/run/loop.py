"""The loop of a training: steps, validations and new paint in turn, until the budget is used."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from unet_napari.errors import LabelsError, SettingsError, warn_user
from unet_napari.networks import build_network
from unet_napari.training.budget import Budget, used_up
from unet_napari.training.candidates.choice import Choice
from unet_napari.training.events import Finished, Resting, Step, TrainEvent, Validated
from unet_napari.training.learner import Learner, Randomness
from unet_napari.training.needed_context import measure_halo
from unet_napari.training.parallel.team import team_for
from unet_napari.training.run.recorded_curve import RecordedCurve
from unet_napari.training.run.stepper import Stepper
from unet_napari.training.run.stillness import Stillness
from unet_napari.training.verdict import NOTHING_LEARNT

if TYPE_CHECKING:
    from unet_napari.networks.base import Network
    from unet_napari.training.candidates.best import Kept
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.events import Started
    from unet_napari.training.setup.prepared import Prepared

__all__ = ["Loop"]

_DIVERGED_TEXT = (
    "The loss was no longer a number at step {}; the best model before it is kept. "
    "A lower learning rate may help."
)
_STOPPED_TEXT = "Stopped."
_NOTHING_LEFT = (
    "Nothing that can be trained on is painted any more: the training waits until you paint."
)
_NOTHING_HELD_OUT = (
    "Nothing is painted any more where labels are held out ({}): training goes on without a score. "
    "Paint there to get one again."
)
_UNKNOWN = (
    "The running training does not know {}, as it was not painted when the training began, and "
    "leaves it out. To learn it, stop and start over."
)
# For measuring the halo. No event is sent meanwhile, so that Stop has to wait for it.
_HALO_SECONDS = 1.5


class Loop:
    """Trains the network of a prepared training.

    Parameters
    ----------
    config
        The settings.
    prepared
        What the training starts with.
    started
        The first event.

    Attributes
    ----------
    learner
        The network, and how it learns.
    choice
        Choice of the best weights.
    curve
        Losses and scores so far.
    step, seconds
        Number of steps that were made, and the time that they took.
    reason
        Why the training has ended, or that it was stopped.
    halo
        The measured context of the chosen network; None before the end.
    """

    def __init__(self, config: TrainConfig, prepared: Prepared, started: Started) -> None:
        decided = prepared.decided
        self._config, self._prepared, self._started = config, prepared, started
        self.learner = Learner(
            prepared.network,
            decided.task,
            config,
            decided.setup.learning_rate,
            prepared.device,
            prepared.randomness,
        )
        self._sampler = prepared.make_sampler(config)
        self._stepper = Stepper(
            self.learner, self._sampler, decided.setup.batch, prepared.device, config.devices
        )
        self.choice = Choice(
            config,
            prepared.make_judge(),
            prepared.make_start(self.learner.state()),
            decided.start,
            prepared.split,
            lambda kept: self.network_of(kept).to(prepared.device),
        )
        self._budget = Budget.of(config, decided.steps_per_epoch)
        self._stillness = Stillness()
        self.curve = RecordedCurve()
        self.step = self._looked_at = 0
        self.seconds = self._used = 0.0
        self.reason = _STOPPED_TEXT
        self.halo: tuple[int, ...] | None = None
        self._told = self.choice.missing  # what was said last that a score needs
        self._began = self._diverged = False
        self._trains = True  # whether anything that can be trained on is painted

    @property
    def stopped(self) -> bool:
        """Whether the training has not come to its end."""
        return self.reason == _STOPPED_TEXT

    @property
    def verdict(self) -> str:
        """What the score of the chosen weights means, or what a score needs."""
        return self.choice.verdict(self.choose(), self.step, stopped=self.stopped)

    def choose(self) -> Kept:
        """Return the weights that are the best choice now."""
        return self.choice.choose(self.step, diverged=self._diverged)

    def network_of(self, kept: Kept) -> Network:
        """Return a network with the weights that were kept, on the CPU."""
        live = self.learner.network
        # Random numbers of its own: how often a model is asked for decides nothing in the run.
        with Randomness(self._config.seed, self._prepared.device)():
            network = build_network(live.name, live.options)
        network.load_state_dict(kept.state or self.learner.state())
        return network.eval()

    def run(self) -> Iterator[TrainEvent]:
        """Train until the budget is used up; see `Trainer.run`."""
        yield self._started
        with team_for(self.learner, self._config.devices):
            yield from self._run()

    def _run(self) -> Iterator[TrainEvent]:
        budget = self._budget
        budget.restart(self._used)
        if self._prepared.decided.start and not self._began:  # a candidate like any other
            event = self._look()
            if event.score is not None:
                yield event
        self._began = True
        while True:
            self.take()
            if self.choice.missing not in ("", self._told):
                self._told = self.choice.missing
                yield self.choice.without_score(self.step)
            if self._looked_at < self.step and budget.validation_due(self.step):
                yield from self._validate()
            elif self._is_over():
                break
            elif not self._trains or self._is_still():
                yield from self._rest()
            else:
                yield from self._learn()
        if self._looked_at < self.step and self.choice.judges and not self._diverged:
            yield self._look()
        yield self._finished()

    def take(self) -> None:
        """Take in new paint, if any waits."""
        prepared, choice = self._prepared, self.choice
        painted = prepared.painted
        if not painted.waiting:
            return
        before, taken, split = painted.split, painted.take(), painted.split
        self._sampler.show(split.training)
        self._sampler.prefer([*self._sampler.new, *taken.new])
        self.learner.refresh()
        self._stillness.changed(self._budget.elapsed())
        self._trains = bool(split.training)
        choice.describe(split)
        if taken.judged or taken.divided or choice.start is not None:
            choice.repaint(prepared.judged(), prepared.compared(), divided=taken.divided)
        if before.validation and not split.validation:
            warn_user(_NOTHING_HELD_OUT.format(split.message), stacklevel=3)
        if before.training and not split.training:
            warn_user(_NOTHING_LEFT, stacklevel=3)
        if taken.unknown:
            classes = ", ".join(f"class {number}" for number in sorted(taken.unknown))
            warn_user(_UNKNOWN.format(classes), stacklevel=3)

    def _is_over(self) -> bool:
        if self.reason == _STOPPED_TEXT and self._budget.fraction(self.step) >= 1:
            self.reason = used_up(self._config)
        return self.reason != _STOPPED_TEXT

    def _is_still(self) -> bool:
        """Tell whether a training without an end has nothing to gain."""
        best = self.choice.best
        waited = None if best.highest is None else best.waited
        return self._budget.endless and self._stillness.is_still(self._budget.elapsed(), waited)

    def _rest(self) -> Iterator[TrainEvent]:
        began = time.perf_counter()
        yield Resting(self.step, self.choose().score)
        self._budget.skip(time.perf_counter() - began)
        self.take()
        self._stillness.changed(self._budget.elapsed())
        if not self._trains:
            raise LabelsError(_NOTHING_LEFT)

    def _learn(self) -> Iterator[TrainEvent]:
        budget = self._budget
        fraction = budget.fraction_of_next(self.step)
        rate, began = self.learner.rate(fraction), time.perf_counter()
        loss = self._stepper.step(fraction)
        budget.expect(self._judging_time(time.perf_counter() - began))
        self._diverged = math.isnan(loss)
        if self._diverged:
            if self.step == 0:
                raise SettingsError(NOTHING_LEARNT)
            self.reason = _DIVERGED_TEXT.format(self.step + 1)
            return
        self.step += 1
        self.seconds = budget.total
        self._stillness.learnt(loss, budget.elapsed())
        self.curve.add_loss(self.step, loss)
        yield Step(
            step=self.step,
            epoch=1 + (self.step - 1) // self._prepared.decided.steps_per_epoch,
            epochs=self._config.epochs,
            loss=loss,
            learning_rate=rate,
            fraction=budget.fraction(self.step),
            seconds_left=budget.seconds_left(self.step),
        )

    def _judging_time(self, step: float) -> float:
        """Estimate the seconds of a validation from those of a step."""
        pixels = self._stepper.batch * math.prod(self._prepared.setup.patch)
        # A step goes forward and backward, three times the work; decoding is added to it here.
        return self.choice.pixels / pixels * step / 2

    def _validate(self) -> Iterator[TrainEvent]:
        first = self._looked_at == 0
        event = self._look()
        if event.score is not None or first:
            yield event
        if self.choice.best.waited == self._config.patience:
            self.reason = f"No better score in {self._config.patience} validations."

    def _look(self) -> Validated:
        """Validate, and keep the weights if they are the best so far."""
        started = time.perf_counter()
        event = self.choice.look(self.learner, self.step, stopped=self.reason == _STOPPED_TEXT)
        if event.score is not None:
            self.curve.add_score(self.step, event.score)
        self._looked_at = self.step
        # Also without a score it was done and took its time.
        self._budget.validated(time.perf_counter() - started)
        return event

    def _finished(self) -> Finished:
        kept, prepared = self.choose(), self._prepared
        network = self.network_of(kept).to(prepared.device)
        samples = prepared.split.training
        self.halo = measure_halo(network, kept.task, samples, self._config.seed, _HALO_SECONDS)
        name = kept.task.score_name
        return Finished(self.reason, self.step, self._budget.total, kept.score, name, self.verdict)

    def snapshot(self) -> dict[str, Any]:
        """Return all that decides how the training goes on, besides what is painted."""
        return {
            "learner": self.learner.snapshot(),
            "sampler": self._sampler.snapshot(),
            "choice": self.choice.snapshot(),
            "budget": self._budget.snapshot(),
            "curve": self.curve.snapshot(),
            "step": self.step,
            "looked_at": self._looked_at,
            "began": self._began,
            "batch": self._stepper.batch,
        }

    def restore(self, snapshot: Mapping[str, Any], *, anew: bool) -> None:
        """Go on after `snapshot`, with what is left of its budget or with a budget `anew`."""
        self.learner.restore(snapshot["learner"])
        self._sampler.restore(snapshot["sampler"])
        self.choice.restore(snapshot["choice"])
        self._budget.restore(snapshot["budget"])
        self.curve.restore(snapshot["curve"])
        self.step, self._looked_at = int(snapshot["step"]), int(snapshot["looked_at"])
        self._began = bool(snapshot["began"])
        self._stepper.restore(int(snapshot["batch"]))
        line = f"Goes on after step {self.step:,}."
        self._started = replace(self._started, chosen=(line, *self._started.chosen))
        if anew:
            self._budget.begin_anew(self.step)
        self._used, self.seconds = self._budget.elapsed(), self._budget.total
