"""When a training without an end has nothing to gain any more, and rests."""

from __future__ import annotations

import math

__all__ = ["Stillness"]

_SECONDS = 60.0  # without new paint, and where there is no score without a lower loss
_VALIDATIONS = 20  # without a better score
_MEMORY = 0.99  # of the running mean of the loss, per step
_LOWER = 0.97  # a mean loss counts as lower from this share of the lowest one on


class Stillness:
    """Tells whether anything has changed of late: the paint, the score, or else the loss."""

    def __init__(self) -> None:
        self._changed_at = self._fell_at = 0.0
        self._mean: float | None = None
        self._lowest = math.inf

    def changed(self, now: float) -> None:
        """Take note of new paint, or of a wish to go on.

        Parameters
        ----------
        now
            Seconds of training.
        """
        self._changed_at = self._fell_at = now
        self._lowest = math.inf

    def learnt(self, loss: float, now: float) -> None:
        """Take note of the loss of a step."""
        mean = loss if self._mean is None else _MEMORY * self._mean + (1 - _MEMORY) * loss
        self._mean = mean
        if mean < _LOWER * self._lowest:
            self._lowest, self._fell_at = mean, now

    def is_still(self, now: float, waited: int | None) -> bool:
        """Tell whether there is nothing to gain.

        Parameters
        ----------
        now
            Seconds of training.
        waited
            Validations since the best score; None where there is no score.
        """
        if now - self._changed_at < _SECONDS:
            return False
        return now - self._fell_at >= _SECONDS if waited is None else waited >= _VALIDATIONS
