"""Lengths in any unit."""

import pytest

from unet_napari.images.units import micrometres


@pytest.mark.parametrize(
    ("length", "unit", "expected"),
    [
        (0.25, "µm", 0.25),
        ("0.25", "um", 0.25),
        (0.25, "micron", 0.25),
        (2, "\\u00B5m", 2),
        (250, "nm", 0.25),
        (0.00025, " mm ", 0.25),
        (1, "cm", 1e4),
        (1e-6, "Meter", 1),
        (-3, "um", 3),
    ],
)
def test_lengths_become_micrometres(length, unit, expected):
    assert micrometres(length, unit) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("length", "unit"),
    [
        (1, "pixel"),
        (1, ""),
        (1 / 72, "inch"),
        (0, "um"),
        (float("nan"), "um"),
        (float("inf"), "um"),
        (None, "um"),
        ("two", "um"),
    ],
)
def test_what_is_no_length_is_unknown(length, unit):
    assert micrometres(length, unit) is None
