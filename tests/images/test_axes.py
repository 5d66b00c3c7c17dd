"""Axes given and guessed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_napari.errors import ImageError
from unet_napari.images import AXES, guess_axes, parse_axes


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TCZYX", "TZCYX", "YXC", "CYX", "TYX"])
def test_given_axes_are_kept_in_capitals(axes):
    assert parse_axes(f" {axes.lower()}", (7,) * len(axes)) == axes


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("ZYQ", (5, 6, 7), "no axis 'Q'"),
        ("YYX", (5, 6, 7), "only once"),
        ("YX", (5, 6, 7), "name 2 axes, but the image has 3: its shape is 5 x 6 x 7"),
        ("TZX", (5, 6, 7), "needs both Y and X"),
        ("XYZ", (5, 6, 7), r"order Z, Y, X.*image.transpose\(2, 1, 0\)"),
        ("YXZ", (5, 6, 7), r"order Z, Y, X.*image.transpose\(2, 0, 1\)"),
        ("TXYC", (5, 6, 7, 3), r"image.transpose\(0, 2, 1, 3\)"),
        ("", (5, 6), "name 0 axes"),
    ],
)
def test_wrong_axes_are_named(axes, shape, message):
    with pytest.raises(ImageError, match=message):
        parse_axes(axes, shape)


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((100, 120), "u2", "YX"),
        ((1, 120), "f4", "YX"),
        ((30, 100, 120), "u2", "ZYX"),
        ((5, 6, 7), "u1", "ZYX"),
        ((1, 100, 120), "u2", "TYX"),
        ((100, 120, 3), "u1", "YXC"),
        ((100, 120, 4), "f4", "YXC"),
    ],
)
def test_axes_that_can_be_told(shape, dtype, axes):
    assert guess_axes(shape, dtype) == axes


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2, 100, 120), "u2"),
        ((3, 100, 120), "u1"),
        ((100, 120, 3), "u2"),
        ((3, 100, 3), "u1"),
        ((10, 30, 100, 120), "u2"),
        ((2, 10, 30, 100, 120), "u2"),
    ],
)
def test_axes_that_cannot_be_told_are_asked_for(shape, dtype):
    with pytest.raises(ImageError, match="--axes") as caught:
        guess_axes(shape, dtype)
    assert " x ".join(map(str, shape)) in str(caught.value)


def test_a_line_is_no_image():
    with pytest.raises(ImageError, match="at least two axes"):
        guess_axes((7,), "u1")


@pytest.mark.parametrize(("shape", "axes"), [((9, 9, 3), "YXC"), ((4, 9, 9, 4), "ZYXC")])
def test_a_known_rgb_picture_has_its_colour_last(shape, axes):
    assert guess_axes(shape, "u1", rgb=True) == axes


def test_an_rgb_picture_has_three_or_four_axes():
    with pytest.raises(ImageError, match="--axes"):
        guess_axes((9, 9), "u1", rgb=True)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.sampled_from(["u1", "u2", "f4"]))
def test_a_guess_is_always_valid(shape, dtype):
    try:
        axes = guess_axes(shape, np.dtype(dtype))
    except ImageError:
        return
    assert parse_axes(axes, shape) == axes
    assert set(axes) <= set(AXES)
