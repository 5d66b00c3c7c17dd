"""What a running inference says about itself. Free of torch, for the napari side."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from unet_napari.inference.summary import PlanSummary

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["PlanSummary", "Progress", "with_time_left"]

Result = TypeVar("Result")

# Share of the work after which its own speed tells more about the rest than the plan does.
_KNOWN_SHARE = 0.02


@dataclass(frozen=True)
class Progress:
    """One step of work is finished.

    Attributes
    ----------
    done, total : int
        Steps finished and steps in all; ``done == total`` means that the result is whole.
    stage : str
        What is being done, in words for the user, such as ``"predicting (torch, streamed)"``.
    region : tuple of (int, int), optional
        Box in which labels have been written since the last step: start and stop along every axis
        of the result. They may still change until the result is whole. None where no labels were
        written.
    plan : PlanSummary, optional
        What is going to be done. It comes with the first step, before anything is computed, and
        again where memory ran out and the plan had to change.
    seconds_left : float, optional
        Time that it will still take, about; None where nobody knows yet.
    """

    done: int
    total: int
    stage: str
    region: tuple[tuple[int, int], ...] | None = None
    plan: PlanSummary | None = None
    seconds_left: float | None = None


def with_time_left(
    steps: Generator[Progress, None, Result],
) -> Generator[Progress, None, Result]:
    """Yield the same steps with `Progress.seconds_left`, and return the same.

    It is the plan's time first, and as soon as a part of the work is done, that of the rest at
    the speed so far.
    """
    started, first = time.perf_counter(), 0
    planned: float | None = None
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        elapsed = time.perf_counter() - started
        if step.plan is not None:
            started, first, elapsed, planned = (
                time.perf_counter(),
                step.done,
                0.0,
                step.plan.seconds,
            )
        done = step.done - first
        left: float | None = None
        if done > _KNOWN_SHARE * step.total:
            left = elapsed * (step.total - step.done) / done
        elif planned is not None:
            left = max(planned - elapsed, 0.0)
        yield replace(step, seconds_left=left)
