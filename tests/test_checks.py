"""The one set of checks: what passes, what is refused, and what the messages say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_napari.checks import (
    Range,
    check_choice,
    check_flag,
    check_integer,
    check_integers,
    check_number,
    check_numbers,
    check_text,
    is_integer,
    is_number,
    is_text,
    shorten,
)
from unet_napari.errors import SettingsError

NO_NUMBERS = [None, True, "1", [1], math.nan, math.inf, -math.inf, 10**400]


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_finite_number_is_in_no_range(value):
    assert not is_number(value)
    assert not is_integer(value)
    with pytest.raises(SettingsError, match="rate must be a number, not"):
        check_number("rate", value)
    with pytest.raises(SettingsError, match="rate must be a whole number, not"):
        check_integer("rate", value)


@pytest.mark.parametrize(
    ("within", "words"),
    [
        (Range(), ""),
        (Range(1, 5), "from 1 to 5"),
        (Range(0.5, 20), "from 0.5 to 20"),
        (Range(1), "of at least 1"),
        (Range(high=3), "of at most 3"),
        (Range(0, low_included=False), "above 0"),
        (Range(0, 1, high_included=False), "of at least 0 and below 1"),
        (Range(0, 2**31 - 1), "from 0 to 2147483647"),
    ],
)
def test_a_range_in_words(within, words):
    assert str(within) == words


@given(st.floats(-3, 3), st.booleans(), st.booleans())
def test_a_range_holds_what_lies_between_its_bounds(value, low_included, high_included):
    within = Range(-1, 2, low_included, high_included)
    expected = (-1 < value < 2) or (low_included and value == -1) or (high_included and value == 2)
    assert is_number(value, within) is expected


def test_a_number_is_returned_as_it_is():
    assert check_integer("n", 3, Range(1, 5)) == 3
    assert check_number("n", 0.25, Range(0, 1)) == 0.25
    with pytest.raises(SettingsError, match=r"^n must be a whole number from 1 to 5, not 3.5\.$"):
        check_integer("n", 3.5, Range(1, 5))
    with pytest.raises(SettingsError, match=r"^n must be a number above 0, not 0\.$"):
        check_number("n", 0, Range(0, low_included=False))


def test_lists_become_tuples_of_numbers():
    assert check_integers("sizes", [8, 16]) == (8, 16)
    assert check_numbers("sizes", (0.5, 2), Range(0, 4)) == (0.5, 2)
    with pytest.raises(SettingsError, match=r"^each of sizes must be a number from 0 to 4, not 5"):
        check_numbers("sizes", [1, 5], Range(0, 4))
    with pytest.raises(SettingsError, match=r"^sizes must be a list of 2 numbers, not \[1\]"):
        check_numbers("sizes", [1], lengths=Range(2, 2))
    with pytest.raises(SettingsError, match=r"must be a list of at least 1 numbers, not \(\)"):
        check_integers("sizes", (), lengths=Range(1))
    with pytest.raises(SettingsError, match=r"must be a list of at most 1 numbers, not \[1, 2\]"):
        check_integers("sizes", [1, 2], lengths=Range(0, 1))
    with pytest.raises(SettingsError, match=r"must be a list of 2 to 4 numbers, not \[1\]"):
        check_integers("sizes", [1], lengths=Range(2, 4))
    with pytest.raises(SettingsError, match=r"^sizes must be a list of numbers, not '12'"):
        check_integers("sizes", "12")


def test_a_choice_has_the_type_of_its_model():
    assert check_choice("depth", 18, (18, 34)) == 18
    for value in (True, 1.0, "1"):
        with pytest.raises(SettingsError, match="depth must be one of 1, 2, not"):
            check_choice("depth", value, (1, 2))


def test_flags_and_texts():
    assert check_flag("flip", False) is False
    assert check_text("name", "Zellkern µ", 10) == "Zellkern µ"
    with pytest.raises(SettingsError, match=r"^flip must be true or false, not 1\.$"):
        check_flag("flip", 1)
    for value in ("a" * 11, "\ud800", b"a", None):
        assert not is_text(value, 10)
        with pytest.raises(SettingsError, match="name must be text of at most 10 characters"):
            check_text("name", value, 10)


def test_a_long_value_is_cut_off_in_a_message():
    assert shorten("a" * 58) == "'" + "a" * 58 + "'"
    assert shorten("a" * 59) == "'" + "a" * 56 + "..."
