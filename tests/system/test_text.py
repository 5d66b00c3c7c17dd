"""Sizes and durations as a person says them."""

import pytest

from unet_napari.system.text import human_size, human_time


@pytest.mark.parametrize(
    ("size", "words"),
    [(300_000, "0.3 MiB"), (325_058_560, "310 MiB"), (1.4 * 2**30, "1.4 GiB")],
)
def test_sizes(size, words):
    assert human_size(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(45.2, "45 s"), (170, "3 min"), (4800, "1 h 20 min")]
)
def test_times(seconds, words):
    assert human_time(seconds) == words
