"""Orientations: what they show is what NumPy's flips, turns and matrices show."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from unet_napari.orientation import Orientation


def orientations(ndim):
    return [
        Orientation(axes, signs)
        for axes in permutations(range(ndim))
        for signs in product((1, -1), repeat=ndim)
    ]


def test_all_orientations_of_the_plane_are_turns_and_mirrored_turns():
    flat = np.arange(6).reshape(2, 3)
    turns = [np.rot90(flat, k) for k in range(4)]
    expected = {(a.shape, a.tobytes()) for turn in turns for a in (turn, turn[:, ::-1])}
    views = [orientation.view(flat) for orientation in orientations(2)]
    assert {(view.shape, view.tobytes()) for view in views} == expected


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_view_copies_nothing_and_has_the_shape_that_is_told(ndim):
    array = np.zeros((5, *(2, 3, 4)[:ndim]))
    for orientation in orientations(ndim):
        view = orientation.view(array)
        assert np.shares_memory(view, array)
        assert view.shape == orientation.shape(array.shape)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_matrix_leads_from_the_view_to_the_image(ndim):
    shape = (2, 3, 4)[:ndim]
    array = np.arange(np.prod(shape)).reshape(shape)
    middle = (np.array(shape) - 1) / 2
    for orientation in orientations(ndim):
        view = orientation.view(array)
        for place in np.ndindex(view.shape):
            from_middle = np.array(place) - (np.array(view.shape) - 1) / 2
            source = middle + orientation.matrix() @ from_middle
            assert view[place] == array[tuple(source.astype(int))]


def test_the_plain_orientation_changes_nothing():
    array = np.arange(24).reshape(2, 3, 4)
    plain = Orientation.plain(2)
    np.testing.assert_array_equal(plain.view(array), array)
    assert (plain.turned, plain.flipped) == (False, ())
    np.testing.assert_array_equal(plain.matrix(), np.eye(2))


def test_turned_and_flipped_tell_which_axes():
    turned = Orientation((0, 2, 1), (-1, 1, -1))
    assert turned.turned
    assert turned.flipped == (-3, -1)
