"""Checks of values that somebody has set: a user, or a file that nobody vouches for.

Each ``check_...`` returns the value, or raises `SettingsError` with a message that names the
setting, says what it must be, and shows what it is. Each ``is_...`` only tells. This module may
import only `unet_napari.errors`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard, TypeVar

from unet_napari.errors import SettingsError

__all__ = [
    "Range",
    "check_choice",
    "check_flag",
    "check_integer",
    "check_integers",
    "check_number",
    "check_numbers",
    "check_text",
    "is_integer",
    "is_number",
    "is_text",
    "shorten",
]

ChoiceT = TypeVar("ChoiceT")


@dataclass(frozen=True)
class Range:
    """The numbers that a setting may have.

    Attributes
    ----------
    low, high
        Bounds of the range; infinite where there is none.
    low_included, high_included
        Whether the setting may be equal to the bound.

    Examples
    --------
    >>> str(Range(0, 1)), str(Range(1)), str(Range(0, low_included=False))
    ('from 0 to 1', 'of at least 1', 'above 0')
    >>> 0 in Range(0, 1), 1 in Range(0, 1, high_included=False), math.nan in Range()
    (True, False, False)
    """

    low: float = -math.inf
    high: float = math.inf
    low_included: bool = True
    high_included: bool = True

    def __contains__(self, value: float) -> bool:
        """Tell whether a number lies in the range; infinite and undefined numbers never do."""
        above = value > self.low or (self.low_included and value == self.low)
        below = value < self.high or (self.high_included and value == self.high)
        return above and below and _is_finite(value)

    def __str__(self) -> str:
        """Say which numbers these are, as it follows the words "a number"."""
        low, high = _number_text(self.low), _number_text(self.high)
        if self.low_included and self.high_included and _is_finite(self.high - self.low):
            return f"from {low} to {high}"
        low_words = f"of at least {low}" if self.low_included else f"above {low}"
        high_words = f"of at most {high}" if self.high_included else f"below {high}"
        known = [low_words] * (self.low > -math.inf) + [high_words] * (self.high < math.inf)
        return " and ".join(known)


def is_integer(value: object, within: Range = Range()) -> TypeGuard[int]:
    """Tell whether a value is a whole number, and no truth value, in a range."""
    return isinstance(value, int) and not isinstance(value, bool) and value in within


def is_number(value: object, within: Range = Range()) -> TypeGuard[float]:
    """Tell whether a value is a finite number, and no truth value, in a range."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value in within


def is_text(value: object, length: int) -> TypeGuard[str]:
    """Tell whether a value is text of at most `length` characters that can be shown.

    Half of a pair of surrogates, which JSON can hold, cannot be shown.
    """
    return (
        isinstance(value, str)
        and len(value) <= length
        and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))
    )


def check_integer(name: str, value: object, within: Range = Range()) -> int:
    """Return `value` if it is a whole number in a range.

    Parameters
    ----------
    name
        What the message calls the setting.
    value
        What it was set to.
    within
        Range of the numbers that are possible.

    Raises
    ------
    SettingsError
        If it is anything else.
    """
    if not is_integer(value, within):
        raise _error(name, f"a whole number {within}", value)
    return value


def check_number(name: str, value: object, within: Range = Range()) -> float:
    """Return `value` if it is a finite number in a range; see `check_integer`."""
    if not is_number(value, within):
        raise _error(name, f"a number {within}", value)
    return value


def check_integers(
    name: str,
    values: object,
    within: Range = Range(),
    *,
    lengths: Range = Range(),
) -> tuple[int, ...]:
    """Return the whole numbers of a list or tuple, all of them in a range.

    Parameters
    ----------
    name, values, within
        See `check_integer`.
    lengths
        Range of the possible count of numbers.

    Raises
    ------
    SettingsError
        If it is anything else.
    """
    items = _check_list(name, values, lengths)
    return tuple(check_integer(f"each of {name}", value, within) for value in items)


def check_numbers(
    name: str,
    values: object,
    within: Range = Range(),
    *,
    lengths: Range = Range(),
) -> tuple[float, ...]:
    """Return the finite numbers of a list or tuple, all of them in a range; as `check_integers`."""
    items = _check_list(name, values, lengths)
    return tuple(check_number(f"each of {name}", value, within) for value in items)


def check_choice(name: str, value: object, choices: Sequence[ChoiceT]) -> ChoiceT:
    """Return the one of `choices` that `value` is; the types must be equal too (1 is not True).

    Raises
    ------
    SettingsError
        If it is none of them.
    """
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
    raise _error(name, f"one of {', '.join(map(str, choices))}", value)


def check_flag(name: str, value: object) -> bool:
    """Return `value` if it is true or false; raises `SettingsError` if it is anything else."""
    if not isinstance(value, bool):
        raise _error(name, "true or false", value)
    return value


def check_text(name: str, value: object, length: int) -> str:
    """Return `value` if it is text as `is_text` describes it, else raise `SettingsError`."""
    if not is_text(value, length):
        raise _error(name, f"text of at most {length:,} characters", value)
    return value


def shorten(value: object, length: int = 60) -> str:
    """Return how Python writes a value, cut off at `length` characters, for a message."""
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


def _check_list(name: str, values: object, lengths: Range) -> Sequence[object]:
    if not isinstance(values, list | tuple) or len(values) not in lengths:
        raise _error(name, f"a list {_length_text(lengths)}", values)
    return values


def _length_text(lengths: Range) -> str:
    if lengths.low == lengths.high:
        return f"of {_number_text(lengths.low)} numbers"
    if lengths.low > 0 and lengths.high < math.inf:
        return f"of {_number_text(lengths.low)} to {_number_text(lengths.high)} numbers"
    bounded = Range(lengths.low if lengths.low > 0 else -math.inf, lengths.high)
    return f"{bounded} numbers" if str(bounded) else "of numbers"


def _is_finite(value: float) -> bool:
    # math.isfinite fails on whole numbers that are too large for a float.
    return abs(value) <= sys.float_info.max


def _number_text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _error(name: str, expected: str, value: object) -> SettingsError:
    return SettingsError(f"{name} must be {expected.strip()}, not {shorten(value)}.")
