"""Boxes: their arithmetic agrees with NumPy's indexing and with sets of pixels."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_napari.geometry import Box, bounding_box

SHAPE = st.lists(st.integers(0, 6), min_size=1, max_size=3).map(tuple)


@st.composite
def boxes(draw, ndim, low=-4, high=9):
    """Return a box, perhaps an empty one, perhaps one that reaches beyond the array."""
    start = tuple(draw(st.integers(low, high)) for _ in range(ndim))
    return Box(start, tuple(draw(st.integers(a, high)) for a in start))


@st.composite
def some_boxes(draw, count):
    ndim = draw(st.integers(1, 3))
    return [draw(boxes(ndim)) for _ in range(count)]


def pixels(box):
    return set(product(*(range(*span) for span in box.spans)))


@given(some_boxes(1))
def test_shape_and_size_count_the_pixels(some):
    (box,) = some
    assert box.size == len(pixels(box))
    assert box.is_empty == (pixels(box) == set())
    assert box.ndim == len(box.shape) == len(box.spans)
    assert Box.from_spans(box.spans) == box


@given(some_boxes(3))
def test_the_intersection_holds_the_pixels_of_both_whatever_the_order(some):
    a, b, c = some
    assert pixels(a.intersect(b)) == pixels(a) & pixels(b)
    assert a.intersect(b) == b.intersect(a)
    assert a.intersect(b).intersect(c) == a.intersect(b.intersect(c))
    assert a.intersect(a) == a


@given(some_boxes(2))
def test_a_box_is_contained_when_its_pixels_are(some):
    a, b = some
    assert a.contains(b) == (pixels(b) <= pixels(a))
    assert a.contains(a.intersect(b))


@given(some_boxes(3))
def test_the_box_around_boxes_is_the_smallest_that_holds_them(some):
    around = Box.around(some)
    for box in some:
        assert around.contains(box)
    for axis in range(around.ndim):
        assert around.start[axis] in {box.start[axis] for box in some}
        assert around.stop[axis] in {box.stop[axis] for box in some}


@given(some_boxes(2))
def test_relative_and_absolute_undo_each_other(some):
    box, outer = some
    relative = box.relative_to(outer)
    assert relative.shape == box.shape
    assert relative.absolute_in(outer) == box
    assert outer.relative_to(outer) == Box.whole(outer.shape)


@given(SHAPE.filter(all), st.data())
def test_an_index_into_a_part_finds_the_same_pixels(shape, data):
    array = np.arange(np.prod(shape)).reshape(shape)
    outer = data.draw(boxes(len(shape))).clip(shape)
    box = data.draw(boxes(len(shape))).intersect(outer)
    part = array[outer.to_slices()][box.to_slices(outer)]
    assert part.shape == box.shape
    np.testing.assert_array_equal(part, array[box.to_slices()])
    assert box.to_slices(outer) == box.relative_to(outer).to_slices()


@given(some_boxes(1), st.data())
def test_growing_is_undone_by_shrinking_and_moves_no_middle(some, data):
    (box,) = some
    by = tuple(data.draw(st.integers(0, 5)) for _ in box.start)
    grown = box.grow(by)
    assert grown.shape == tuple(n + 2 * g for n, g in zip(box.shape, by, strict=True))
    assert grown.contains(box)
    assert grown.grow([-g for g in by]) == box
    assert box.grow(3) == box.grow((3,) * box.ndim)


@given(some_boxes(1), st.data())
def test_shifting_moves_every_pixel(some, data):
    (box,) = some
    by = tuple(data.draw(st.integers(-5, 5)) for _ in box.start)
    moved = {tuple(p + s for p, s in zip(pixel, by, strict=True)) for pixel in pixels(box)}
    assert pixels(box.shift(by)) == moved


@given(SHAPE, st.data())
def test_slices_with_a_shape_pick_what_numpy_picks(shape, data):
    array = np.arange(np.prod(shape)).reshape(shape)
    ends = st.none() | st.integers(-9, 9)
    slices = tuple(slice(data.draw(ends), data.draw(ends)) for _ in shape)
    box = Box.from_slices(slices, shape)
    np.testing.assert_array_equal(array[box.to_slices()], array[slices])
    assert Box.whole(shape).contains(box)


@given(some_boxes(1))
def test_slices_without_a_shape_are_the_ends_of_the_box(some):
    (box,) = some
    assert Box.from_slices(box.to_slices()) == box


@given(some_boxes(1), st.integers(1, 5))
def test_slabs_put_together_are_the_box(some, rows):
    (box,) = some
    slabs = list(box.slabs(rows))
    assert all(1 <= slab.shape[0] <= rows for slab in slabs)
    assert [slab.start[0] for slab in slabs[1:]] == [slab.stop[0] for slab in slabs[:-1]]
    assert sum(slab.size for slab in slabs) == box.size
    if slabs:
        assert Box.around(slabs) == box


@given(some_boxes(1), st.integers(1, 40))
def test_slabs_of_bounded_size_hold_each_pixel_once_in_order(some, limit):
    (box,) = some
    slabs = list(box.slabs_of(limit))
    assert max(slab.size for slab in slabs) <= limit
    assert [pixel for slab in slabs for pixel in sorted(pixels(slab))] == sorted(pixels(box))


@given(some_boxes(1), st.data())
def test_blocks_hold_each_pixel_once(some, data):
    (box,) = some
    shape = tuple(data.draw(st.integers(1, 5)) for _ in box.start)
    blocks = box.blocks(shape)
    assert all(not block.is_empty for block in blocks)
    assert all(n <= most for block in blocks for n, most in zip(block.shape, shape, strict=True))
    assert blocks == sorted(blocks, key=lambda block: block.start)
    assert sum(block.size for block in blocks) == box.size
    assert {pixel for block in blocks for pixel in pixels(block)} == pixels(box)


@given(SHAPE, st.integers(0, 3), st.integers(0, 99))
def test_the_bounding_box_is_the_smallest_around_all_that_is_true(shape, count, seed):
    mask = np.zeros(shape, bool)
    if mask.size:
        mask.flat[np.random.default_rng(seed).integers(0, mask.size, count)] = True
    places = np.argwhere(mask)
    box = bounding_box(mask)
    if not len(places):
        assert box is None
    else:
        assert box == Box(tuple(places.min(axis=0)), tuple(places.max(axis=0) + 1))


def test_one_axis_is_replaced_and_others_are_put_in_front():
    box = Box((1, 2, 3), (4, 5, 6))
    assert box.replace_axis(1, 7, 9) == Box((1, 7, 3), (4, 9, 6))
    assert box.replace_axis(-1, 0, 0) == Box((1, 2, 0), (4, 5, 0))
    assert Box((3,), (5,)).prepend((2, 0)) == Box((2, 0, 3), (3, 1, 5))
    assert box.prepend(()) == box


def test_spans_are_what_json_holds():
    box = Box((0, -2), (5, 3))
    assert json.loads(json.dumps(box.spans)) == [[0, 5], [-2, 3]]
    assert Box.from_spans([(0, 5), (-2, 3)]) == box


def test_a_box_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="ends before it begins"):
        Box((0, 3), (4, 2))
    with pytest.raises(ValueError, match="ends before it begins"):
        Box.whole((3,)).grow(-2)


def test_boxes_of_different_dimension_do_not_mix():
    for wrong in (
        lambda: Box((0,), (3, 3)),
        lambda: Box((0,), (3,)).grow((1, 1)),
        lambda: Box((0,), (3,)).intersect(Box.whole((3, 3))),
        lambda: Box((0,), (3,)).shift((1, 1)),
        lambda: Box((0,), (3,)).to_slices(Box.whole((3, 3))),
    ):
        with pytest.raises(ValueError, match="does not go with"):
            wrong()


def test_slices_that_are_no_box_are_refused():
    with pytest.raises(ValueError, match="steps"):
        Box.from_slices((slice(0, 8, 2),))
    with pytest.raises(ValueError, match="lacks an end"):
        Box.from_slices((slice(0, None),))
