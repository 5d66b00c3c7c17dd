"""How long a training goes on, in seconds or in steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter

from unet_napari.training.config import TrainConfig

__all__ = ["RISE_STEPS", "Budget", "used_up"]

_VALIDATIONS = 20  # in the whole of a budget
_VALIDATION_SHARE = 0.1  # share of the time that validation may take
_PAUSE_SECONDS = 3.0  # seconds between two validations of a training without an end
RISE_STEPS = 1000  # steps of such a training that the warm-up is a share of
_FIRST_STEP_SHARE = 0.005  # share of the time that half of the first step is taken to last


@dataclass
class Budget:
    """Tells how much is used, how much is left, and when to validate.

    A budget in steps decides by the number of the step alone, so that the same seed gives the
    same weights on a fast and on a slow day.

    Parameters
    ----------
    seconds
        Seconds of the budget; None where it is in steps.
    steps
        Steps of the budget; None where it is in seconds.

    With neither of them it is without an end.
    """

    seconds: float | None
    steps: int | None
    _started: float = field(default_factory=lambda: perf_counter(), init=False)
    _first: int = field(default=0, init=False)  # steps that were made before it began
    _before: float = field(default=0.0, init=False)  # seconds that were used before it began
    _validated_at: float = field(default=0.0, init=False)
    _validation: float = field(default=0.0, init=False)

    @classmethod
    def of(cls, config: TrainConfig, steps_per_epoch: int) -> Budget:
        """Start the budget of a configuration; the clock runs from here."""
        steps = config.steps
        if config.epochs is not None:
            steps = config.epochs * steps_per_epoch
        return cls(config.seconds, steps)

    def begin_anew(self, step: int) -> None:
        """Let all that was used up to a step belong to an earlier budget."""
        self._before += self.elapsed()
        self._first = step
        self._validated_at = 0.0
        self.restart(0.0)

    @property
    def total(self) -> float:
        """The seconds since the start, with those of earlier budgets."""
        return self._before + self.elapsed()

    def restart(self, elapsed: float) -> None:
        """Let the clock run from here, with so many seconds used already."""
        self._started = perf_counter() - elapsed

    def skip(self, seconds: float) -> None:
        """Do not count some seconds that have just passed."""
        self._started += seconds

    def snapshot(self) -> dict[str, float]:
        """Return what is used, as JSON-able values."""
        return {
            "elapsed": self.elapsed(),
            "validated_at": self._validated_at,
            "validation": self._validation,
            "first": self._first,
            "before": self._before,
        }

    def restore(self, snapshot: Mapping[str, float]) -> None:
        """Go on after `snapshot`."""
        self.restart(float(snapshot["elapsed"]))
        self._validated_at = float(snapshot["validated_at"])
        self._validation = float(snapshot["validation"])
        self._first, self._before = int(snapshot["first"]), float(snapshot["before"])

    @property
    def endless(self) -> bool:
        """Whether it has no end."""
        return self.seconds is None and self.steps is None

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return perf_counter() - self._started

    def fraction(self, step: int) -> float:
        """Return the share used after `step` steps, 0 to 1; the last validation is set aside."""
        if self.endless:
            return 0.0
        if self.seconds is None:
            return min(1.0, (step - self._first) / (self.steps or 1))
        return min(1.0, self.elapsed() / max(1e-3, self.seconds - self._reserve))

    def fraction_of_next(self, step: int) -> float:
        """Return the share used in the middle of the step that follows after `step` steps.

        A step has one learning rate from its start to its end. With that of its start, the first
        one, where the rate is zero, would teach nothing, and with that of its end the last one.
        """
        if self.endless:
            return min(0.5, (step - self._first + 0.5) / RISE_STEPS)
        used = self.fraction(step)
        if self.seconds is None:
            end = self.fraction(step + 1)
        else:
            made = step - self._first
            mean = self.elapsed() / made / self.seconds if made else 2 * _FIRST_STEP_SHARE
            end = min(1.0, used + mean)
        return (used + end) / 2

    def seconds_left(self, step: int) -> float:
        """Return the seconds until the end, estimated from the steps so far; inf without one."""
        if self.seconds is not None:
            return max(0.0, self.seconds - self.elapsed())
        used = self.fraction(step)
        return self.elapsed() * (1 - used) / used if used else math.inf

    def validation_due(self, step: int) -> bool:
        """Tell whether enough happened since the last validation to afford another."""
        if self.steps is not None:
            return (step - self._first) % max(1, self.steps // _VALIDATIONS) == 0
        shortest = _PAUSE_SECONDS if self.seconds is None else self.seconds / _VALIDATIONS
        wait = max(shortest, self._validation / _VALIDATION_SHARE)
        return self.elapsed() - self._validated_at >= wait

    def expect(self, seconds: float) -> None:
        """Take note of what a validation will probably take, before the first one has told."""
        if not self._validated_at:
            self._validation = seconds

    def validated(self, seconds: float) -> None:
        """Take note that a validation was made, and what it took."""
        self._validated_at = self.elapsed()
        self._validation = seconds

    @property
    def _reserve(self) -> float:
        return min(self._validation, 0.3 * (self.seconds or 0))


def used_up(config: TrainConfig) -> str:
    """Return the sentence that tells that all of a budget is used."""
    if config.seconds is not None:
        return "The time is used up."
    if config.epochs is not None:
        return f"All {config.epochs} epochs are done."
    return f"All {config.steps} steps are done."
