"""What a score means, or what a score needs, in words that need no manual."""

from __future__ import annotations

import math

from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.data.division import Split

__all__ = ["NOTHING_LEARNT", "judgement", "kept_start", "what_is_missing"]

NOTHING_LEARNT = (
    "The loss was no number in the very first step, so that nothing was learnt: choose a lower "
    "learning rate, and look for pixels of extreme value in the images."
)
"""Why a training ends with an error."""

_LEARNING_SCORE = 0.3  # a score below which nothing can be told before the end
_FEW_OBJECTS = 20  # one object moves the score of fewer by a twentieth
_STEPS = (
    0.3,
    0.65,
    0.9,
    math.inf,
)  # below each of these scores the next of `TaskKind.verdicts` holds


def judgement(score: float, *, task: str, cells: int, finished: bool) -> str:
    """Return what a score says, such as "most cells are right".

    Parameters
    ----------
    score
        `Task.score`, 0 to 1.
    task
        Name of the task.
    cells
        Number of objects that it was computed from; 0 if the task has none.
    finished
        Whether the training has ended; before that, a low score means little.
    """
    if score < _LEARNING_SCORE and not finished:
        return "still learning"
    kind = task_kind(task)
    steps = zip(_STEPS, kind.verdicts, strict=True)
    text = next(words for step, words in steps if score < step)
    return f"{text} (only {cells} {kind.things} judge it)" if 0 < cells < _FEW_OBJECTS else text


def kept_start(name: str, cells: int) -> str:
    """Return that nothing that was learnt was better than the start, judged by what is held out.

    Parameters
    ----------
    name
        The name of the model that training started from.
    cells
        Number of cells that judged; 0 for classes.
    """
    judges = f"{cells} held-out cells" if cells else "held-out labels"
    return f"the {judges} do not show that the training made {name} better: its weights stay"


def what_is_missing(split: Split, task: str, fraction: float) -> str:
    """Return what to do for a score: "paint more: 12 of about 25 cells that a score needs".

    Parameters
    ----------
    split
        All of what was painted is in its training part where nothing could be held out.
    task
        Name of the task.
    fraction
        Share that was to be held out.

    Returns
    -------
    str
        "" where a score was not asked for, or something is held out.
    """
    if split.validation or not fraction:
        return ""
    kind = task_kind(task)
    needed = math.ceil(kind.fewest_units / fraction)
    painted, what = kind.scarcest([sample.labelled for sample in split.training])
    if painted >= needed:  # but they lie where they cannot be divided
        return f"paint more {what}, spread over the image, to get a score"
    return f"paint more: {painted} of about {needed} {what} that a score needs"
