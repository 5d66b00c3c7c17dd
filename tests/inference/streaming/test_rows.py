"""Row rules: what is announced as ready can be computed, and no earlier."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_napari.inference.streaming.rows import Spread, WindowRule

windows = st.builds(
    WindowRule, extent=st.integers(1, 9), stride=st.integers(1, 8), padding=st.integers(-6, 4)
)
spreads = st.builds(Spread, scale=st.integers(1, 8), context=st.integers(0, 2))


@given(windows, st.integers(0, 60))
def test_ready_windows_lie_within_the_available_rows_and_the_next_does_not(rule, available):
    ready = rule.ready(available)
    if ready:
        assert rule.needs(ready - 1, ready)[1] <= available
    assert rule.needs(ready, ready + 1)[1] > available


@given(spreads, st.integers(0, 60))
def test_ready_rows_of_a_finer_grid_have_their_neighbours(rule, available):
    ready = rule.ready(available)
    assert ready % rule.scale == 0
    if ready:
        assert rule.needs(ready - 1, ready)[1] <= available
    assert rule.needs(ready, ready + 1)[1] > available


@given(st.one_of(windows, spreads), st.integers(0, 40), st.integers(1, 10))
def test_many_rows_need_what_each_of_them_needs(rule, start, count):
    each = [rule.needs(row, row + 1) for row in range(start, start + count)]
    first, stop = rule.needs(start, start + count)
    assert first == min(a for a, _ in each)
    assert stop == max(b for _, b in each)


@pytest.mark.parametrize(
    ("rule", "needs"),
    [
        (WindowRule(3, 1, 1), (9, 21)),  # a convolution of 3
        (WindowRule(2, 2), (20, 40)),  # a pooling by 2
        (WindowRule(padding=-5), (15, 25)),  # a crop of 5 rows
        (Spread(2), (5, 10)),  # a transposed convolution by 2
        (Spread(2, context=1), (4, 11)),  # a linear interpolation by 2
    ],
)
def test_rows_needed_for_rows_10_to_20(rule, needs):
    assert rule.needs(10, 20) == needs
