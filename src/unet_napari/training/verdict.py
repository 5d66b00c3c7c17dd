"""What a score means, or what a score needs, in words that need no manual."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from unet_napari.training.data.sample import Sample
from unet_napari.training.data.split import LEAST, Split
from unet_napari.training.held_out import count_cells

__all__ = ["judgement", "kept_start", "what_is_missing"]

_LEARNING = 0.3  # a score below which nothing can be told before the end
_FEW_CELLS = 20  # one cell moves the score of fewer by a twentieth
# Below this score, what it says of cells, what it says of classes.
_WORDS = (
    (0.3, "most cells are not found: train longer, or paint more", "most of the area is wrong"),
    (0.65, "about half of the cells are right", "about half of the area is right"),
    (0.9, "most cells are right", "most of the area is right"),
    (math.inf, "nearly all cells are right", "nearly all of the area is right"),
)


def judgement(score: float, *, task: str, cells: int, finished: bool) -> str:
    """Return what a score says, such as "most cells are right".

    Parameters
    ----------
    score
        AP50 for ``"cells"``, mean Dice for ``"semantic"``.
    task
        One of the two.
    cells
        How many cells it was computed from; 0 for classes.
    finished
        Whether the training has ended; before that, a low score means little.
    """
    if score < _LEARNING and not finished:
        return "still learning"
    _, of_cells, of_classes = next(words for words in _WORDS if score < words[0])
    text = of_cells if task == "cells" else of_classes
    return f"{text} (only {cells} cells judge it)" if 0 < cells < _FEW_CELLS else text


def kept_start(name: str, cells: int) -> str:
    """Return that nothing that was learnt was better than the start, judged by what is held out.

    Parameters
    ----------
    name
        Of the model that training started from.
    cells
        How many cells judged; 0 for classes.
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
        ``"cells"`` or ``"semantic"``.
    fraction
        Share that was to be held out.

    Returns
    -------
    str
        "" where a score was not asked for, or something is held out.
    """
    if split.validation or not fraction:
        return ""
    needed = math.ceil(LEAST[task] / fraction)
    if task == "cells":
        painted, what = count_cells(split.training), "cells"
    else:
        painted, rarest = _rarest_class(split.training)
        what = f"pixels of class {rarest}"
    if painted >= needed:  # but they lie where they cannot be divided
        return f"paint more {what}, spread over the image, to get a score"
    return f"paint more: {painted} of about {needed} {what} that a score needs"


def _rarest_class(samples: Sequence[Sample]) -> tuple[int, int]:
    """Return the number of pixels and the id of the class that has the fewest."""
    counts: Counter[int] = Counter()
    for sample in samples:
        ids, pixels = np.unique(sample.labels[sample.annotated], return_counts=True)
        counts.update(dict(zip(ids.tolist(), pixels.tolist(), strict=True)))
    return min((pixels, number) for number, pixels in counts.items())
