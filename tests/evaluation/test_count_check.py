"""A count with its error: its interval holds the truth, whatever the doubt is worth."""

import numpy as np
import pytest

from unet_napari.errors import SettingsError
from unet_napari.evaluation.count_check import (
    CheckedStratum,
    checked_strata,
    draw_checks,
    estimate_count,
    strata_of,
)

RUNS = 600


def population(seed, size, mean_doubt, wrong_for_doubt, kinds=(0.5, 0.4, 0.1)):
    """Return the doubt in each found object, and the number of true ones in its territory."""
    rng = np.random.default_rng(seed)
    doubt = rng.beta(1, (1 - mean_doubt) / mean_doubt, size)
    wrong = rng.random(size) < np.clip(wrong_for_doubt * doubt, 0, 0.97)
    true = np.ones(size, int)
    true[wrong] = rng.choice([0, 2, 3], wrong.sum(), p=kinds)
    return doubt, true


def estimates(number, **facts):
    """Return the estimate of each of many runs, with the truth."""
    found = []
    for seed in range(RUNS):
        doubt, true = population(seed, **facts)
        drawn = draw_checks(doubt, number, seed)
        estimate = estimate_count(checked_strata(doubt, {i: int(true[i]) for i in drawn}))
        found.append((estimate, int(true.sum())))
    return found


def coverage(found):
    return np.mean([estimate.low <= truth <= estimate.high for estimate, truth in found])


@pytest.mark.parametrize(
    ("number", "facts"),
    [
        (20, {"size": 1243, "mean_doubt": 0.25, "wrong_for_doubt": 1.0}),
        (20, {"size": 1243, "mean_doubt": 0.1, "wrong_for_doubt": 2.0}),
        (50, {"size": 1243, "mean_doubt": 0.25, "wrong_for_doubt": 1.0}),
        (50, {"size": 1243, "mean_doubt": 0.1, "wrong_for_doubt": 1.0, "kinds": (0, 1, 0)}),
    ],
)
def test_the_interval_holds_the_truth_in_93_to_97_of_100_runs(number, facts):
    found = estimates(number, **facts)
    assert 0.93 <= coverage(found) <= 0.97
    bias = np.mean([estimate.count / truth - 1 for estimate, truth in found])
    assert abs(bias) < 0.02


def test_where_errors_are_rarer_than_the_doubt_says_it_holds_it_more_often():
    found = estimates(20, size=300, mean_doubt=0.1, wrong_for_doubt=0.5)
    assert coverage(found) > 0.97


def test_more_checks_give_a_narrower_interval():
    facts = {"size": 1243, "mean_doubt": 0.1, "wrong_for_doubt": 1.0}
    widths = [
        np.mean([estimate.high - estimate.low for estimate, _ in estimates(number, **facts)[:100]])
        for number in (20, 80)
    ]
    assert widths[1] < 0.55 * widths[0]


def test_a_draw_goes_through_the_strata_in_turn_and_a_larger_one_begins_with_it():
    doubt = np.random.default_rng(0).beta(1, 9, 200)
    drawn, strata = draw_checks(doubt, 20, seed=4), strata_of(doubt)
    assert sorted(strata[drawn[:5]]) == sorted(strata[drawn[15:]]) == [0, 1, 2, 3, 4]
    assert len(set(drawn)) == 20
    assert draw_checks(doubt, 40, seed=4)[:20] == drawn
    assert draw_checks(doubt, 20, seed=5) != drawn
    assert sorted(draw_checks(doubt, 10_000)) == list(range(200))


@pytest.mark.parametrize("size", [0, 1, 3, 7, 8, 21, 1000])
@pytest.mark.parametrize("kind", ["equal", "zero", "one large", "spread"])
def test_strata_are_ordered_by_doubt_and_none_is_empty(size, kind):
    doubt = {"equal": np.full(size, 0.2), "zero": np.zeros(size), "spread": np.linspace(0, 1, size),
             "one large": np.r_[np.zeros(max(size - 1, 0)), 1.0][:size]}[kind]  # fmt: skip
    strata = strata_of(doubt)
    assert strata.shape == (size,)
    sizes = np.bincount(strata)
    assert len(sizes) == min(5, max(1, size // 4)) * (size > 0)
    assert (sizes >= min(size, 4)).all()
    order = np.argsort(doubt, kind="stable")
    assert (np.diff(strata[order]) >= 0).all()


def test_all_checked_is_a_count_without_an_error():
    strata = [CheckedStratum(3, 0.1, (1, 2, 0)), CheckedStratum(2, 0.5, (1, 1))]
    estimate = estimate_count(strata)
    assert (estimate.count, estimate.low, estimate.high) == (5, 5, 5)
    assert estimate.describe("cells") == "5 cells: all 5 that were found were checked."


def test_the_estimate_is_the_sum_of_the_strata():
    strata = [CheckedStratum(1000, 0.02, (1,) * 10), CheckedStratum(200, 0.3, (1, 0, 2, 2, 1))]
    estimate = estimate_count(strata)
    assert estimate.count == 1000 + 200 * 6 / 5
    assert estimate.describe() == (
        f"1,240 objects, 95 % between {estimate.low:,.0f} and {estimate.high:,.0f} "
        "(15 of the 1,200 that were found were checked)."
    )
    assert 15 < estimate.low < 1240 < estimate.high
    # by hand: moderated variances (2 * 1.3 * 0.02) / 11 and (2.8 + 2 * 1.3 * 0.3) / 6
    variances = [0.052 / 11 / 10 * 0.99 * 1000**2, 3.58 / 6 / 5 * 0.975 * 200**2]
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 11 + variances[1] ** 2 / 6)
    from scipy.stats import t

    half = t.ppf(0.975, freedom) * sum(variances) ** 0.5
    assert estimate.low == np.floor(1240 - half)
    assert estimate.high == np.ceil(1240 + half)


@pytest.mark.parametrize(
    ("strata", "says"),
    [
        ([], "No object was found"),
        ([CheckedStratum(5, 0.1, (1,)), CheckedStratum(5, 0.2)], "Check at least 2 objects"),
        ([CheckedStratum(5, 0.1, (-1,))], "is 0, 1, 2 or more"),
    ],
)
def test_what_is_no_answer_is_said(strata, says):
    with pytest.raises(SettingsError, match=says):
        estimate_count(strata)
