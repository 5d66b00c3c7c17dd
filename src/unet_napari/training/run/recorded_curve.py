"""The losses and scores that a training has reported, to be drawn when it is continued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["RecordedCurve"]

_POINTS = 1000  # of each kind; of a longer training every second one is dropped, and so on


class RecordedCurve:
    """Keeps losses and scores, fewer and fewer of them the longer a training goes on."""

    def __init__(self) -> None:
        self.losses: list[tuple[int, float]] = []
        self.scores: list[tuple[int, float]] = []
        self._every = 1

    def add_loss(self, step: int, loss: float) -> None:
        """Keep the loss of a step, if it is one of those that are kept."""
        if step % self._every == 0 or step == 1:
            self.losses.append((step, loss))
        if len(self.losses) > _POINTS:
            self._every *= 2
            self.losses = [one for one in self.losses if one[0] % self._every == 0 or one[0] == 1]

    def add_score(self, step: int, score: float) -> None:
        """Keep a score."""
        self.scores.append((step, score))
        if len(self.scores) > _POINTS:
            self.scores = self.scores[::2]

    def snapshot(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {"losses": list(self.losses), "scores": list(self.scores), "every": self._every}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on after `snapshot`."""
        self.losses = [(int(step), float(loss)) for step, loss in snapshot["losses"]]
        self.scores = [(int(step), float(score)) for step, score in snapshot["scores"]]
        self._every = int(snapshot["every"])
