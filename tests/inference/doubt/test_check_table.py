"""What is drawn to be looked at, and its table: written and read, the numbers stay the same."""

import numpy as np
import pytest

from unet_napari.errors import SettingsError
from unet_napari.evaluation.count_check import (
    checked_strata,
    draw_checks,
    estimate_count,
)
from unet_napari.inference.doubt.check_table import (
    answered_strata,
    check_columns,
    draw_places,
    read_checks,
)
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject
from unet_napari.labels.table_files import write_table

DOUBTS = np.random.default_rng(2).beta(1, 9, 80)
FOUND = [
    DoubtfulObject(float(doubt), "weak boundary", number, (number, 7), size=30)
    for number, doubt in enumerate(DOUBTS, 1)
]


def test_the_places_are_those_of_the_method_and_missed_ones_are_none_of_them():
    missed = DoubtfulObject(0.9, "missed", 0, (3, 3), missed=True)
    places = draw_places([missed, *FOUND, missed], 20, seed=5)
    drawn = draw_checks(DOUBTS, 20, seed=5)
    assert [place.item.number - 1 for place in places] == drawn
    answers = {index: 1 + index % 2 for index in drawn}
    assert sum({p.stratum: p.stratum_cells for p in places}.values()) == 80
    expected = estimate_count(checked_strata(DOUBTS, answers))
    found = estimate_count(answered_strata(places, list(answers.values())))
    assert found.count == expected.count
    assert (found.low, found.high) == (expected.low, expected.high)


def test_a_table_that_is_read_again_gives_the_same_numbers(tmp_path):
    places = draw_places(FOUND, 20, seed=5)
    answers = [1, 0, None, 2, 1] * 4
    write_table(tmp_path / "checks.csv", check_columns(places, answers, "YX"))
    assert (tmp_path / "checks.csv").read_text().splitlines()[0] == (
        "cells,doubt,reason,label,pixels,y,x,stratum,stratum_cells,stratum_doubt"
    )
    read = read_checks(tmp_path / "checks.csv")
    assert read == answered_strata(places, answers)
    with pytest.raises(SettingsError, match="16 are not enough"):
        estimate_count(read)  # a stratum whose places are all open


def test_nothing_found_gives_no_place():
    assert draw_places([], 20, seed=0) == []
