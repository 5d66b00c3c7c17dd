"""Checks of a task's settings, which may come out of a file nobody vouches for."""

from __future__ import annotations

from numbers import Real

from unet_napari.errors import SettingsError

__all__ = ["check_number", "check_numbers"]


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raise `SettingsError` unless `value` is a finite number between `low` and `high`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and low <= value <= high):  # type: ignore[operator]
        raise SettingsError(
            f"{name} must be a number between {low:g} and {high:g}, not {str(value)[:40]}."
        )


def check_numbers(name: str, values: object, low: float, high: float, *, most: int) -> None:
    """Raise `SettingsError` unless `values` is a tuple of at most `most` such numbers."""
    if not isinstance(values, tuple) or len(values) > most:
        raise SettingsError(f"{name} must be a list of at most {most} numbers.")
    for value in values:
        check_number(name, value, low, high)
