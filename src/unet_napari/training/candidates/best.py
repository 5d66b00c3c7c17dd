"""Which weights of a training are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unet_napari.tasks import make_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unet_napari.tasks import Task
    from unet_napari.training.learner import State

__all__ = ["Best", "Kept"]


@dataclass(frozen=True)
class Kept:
    """Weights, and the score that they had; None where they were not judged."""

    state: State | None  # None: those that the network has at present
    task: Task
    step: int
    score: float | None

    def snapshot(self) -> dict[str, Any]:
        """Return it as values of JSON and tensors."""
        return {
            "state": self.state,
            "task": self.task.to_dict(),
            "step": self.step,
            "score": self.score,
        }

    @classmethod
    def of(cls, snapshot: Mapping[str, Any]) -> Kept:
        """Make it again from `snapshot`."""
        task = make_task(snapshot["task"])
        return cls(snapshot["state"], task, int(snapshot["step"]), snapshot["score"])


class Best:
    """The best weights so far, of those that were judged.

    Attributes
    ----------
    kept
        The weights. Before the first score the last ones that were looked at: good for nothing but
        to fall back on should the loss become NaN.
    highest
        The highest score so far, which need not be that of `kept`.
    waited
        Scores since the highest one.
    """

    def __init__(self) -> None:
        self.kept: Kept | None = None
        self.highest: float | None = None
        self.waited = 0
        self._least = -math.inf  # what the weights that training started from leave to beat

    def snapshot(self) -> dict[str, Any]:
        """Return what it knows, as values of JSON and tensors."""
        return {
            "kept": None if self.kept is None else self.kept.snapshot(),
            "highest": self.highest,
            "waited": self.waited,
            "least": None if math.isinf(self._least) else self._least,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on after `snapshot`."""
        kept, least = snapshot["kept"], snapshot["least"]
        self.kept = None if kept is None else Kept.of(kept)
        self.highest, self.waited = snapshot["highest"], int(snapshot["waited"])
        self._least = -math.inf if least is None else float(least)

    def enough(self, uncertainty: float) -> float | None:
        """Return the score from which on weights replace those that are kept; None: any.

        Among weights that the held-out labels cannot tell apart, the later ones, which a lower
        learning rate has refined: the best of many noisy scores is mostly a lucky one (the
        one-standard-error rule of Breiman et al. 1984, with that of a difference). Weights that
        a training started from, those of step 0, are not given up for others that may be worse:
        new ones must be better than they were by the standard error.
        """
        if self.highest is None:
            return None
        if self.kept is not None and self.kept.step == 0 and self.kept.score is not None:
            self._least = math.nextafter(self.kept.score + uncertainty, math.inf)
        return max(self.highest - 2**0.5 * uncertainty, self._least)

    def judged(self, score: float | None, enough: float | None, take: Callable[[], Kept]) -> bool:
        """Take note of a score; return whether the weights of this moment are the best now."""
        if score is None:
            if self.highest is None:
                self.kept = take()
            return False
        if self.highest is None or score > self.highest:
            self.highest, self.waited = score, 0
        else:
            self.waited += 1
        better = enough is None or score >= enough
        if better:
            self.kept = take()
        return better
