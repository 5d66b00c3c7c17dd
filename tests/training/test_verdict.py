"""What scores mean, in words."""

import numpy as np
import pytest

from unet_napari.training.data.split import TOO_FEW, Split
from unet_napari.training.verdict import judgement, kept_start, what_is_missing


@pytest.mark.parametrize(
    ("score", "task", "cells", "finished", "expected"),
    [
        (0.09, "cells", 40, False, "still learning"),
        (0.09, "cells", 40, True, "most cells are not found: train longer, or paint more"),
        (0.45, "cells", 40, False, "about half of the cells are right"),
        (0.75, "cells", 7, True, "most cells are right (only 7 cells judge it)"),
        (0.8, "cells", 40, True, "most cells are right"),
        (1.0, "cells", 40, True, "nearly all cells are right"),
        (0.9, "semantic", 0, True, "nearly all of the area is right"),
    ],
)
def test_a_score_in_words(score, task, cells, finished, expected):
    assert judgement(score, task=task, cells=cells, finished=finished) == expected


def nothing_held_out(*samples):
    return Split(list(samples), [], TOO_FEW)


def test_what_a_score_needs_is_counted(make_sample):
    cells = np.zeros((40, 40), int)
    cells.reshape(-1)[:24:2] = np.arange(1, 13)
    expected = "paint more: 12 of about 25 cells that a score needs"
    assert what_is_missing(nothing_held_out(make_sample(cells)), "cells", 0.2) == expected
    expected = "paint more cells, spread over the image, to get a score"
    assert what_is_missing(nothing_held_out(*[make_sample(cells)] * 3), "cells", 0.2) == expected
    classes = np.ones((40, 40), int)
    classes[0] = 2
    expected = "paint more: 40 of about 500 pixels of class 2 that a score needs"
    assert what_is_missing(nothing_held_out(make_sample(classes)), "semantic", 0.2) == expected


@pytest.mark.parametrize(("cells", "judges"), [(7, "7 held-out cells"), (0, "held-out labels")])
def test_a_start_that_stays_is_named(cells, judges):
    said = kept_start("nuclei", cells)
    assert (
        said == f"the {judges} do not show that the training made nuclei better: its weights stay"
    )
