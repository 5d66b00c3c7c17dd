"""Tiles: every pixel once, cuts on the stride grid, halo of real pixels, mirrors at the border."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unet_napari.geometry import Box
from unet_napari.images import Image
from unet_napari.inference.running.reading import continued, read_continued
from unet_napari.inference.tiles import Grid, Tile


@st.composite
def cuts(draw):
    """Return a grid, an image shape and a tile shape, with one to three axes."""
    ndim = draw(st.integers(1, 3))

    def axis(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(ndim))

    stride = tuple(2 ** draw(st.integers(0, 4)) for _ in range(ndim))
    valid = draw(st.booleans())
    zeros = (0,) * ndim
    grid = Grid(
        stride=stride,
        halo=axis(0, 20),
        margin=axis(0, 12) if valid else zeros,
        surplus=tuple(draw(st.integers(0, s - 1)) for s in stride) if valid else zeros,
    )
    return grid, axis(1, 70), axis(1, 90)


@given(cuts())
def test_every_pixel_is_written_exactly_once(cut):
    grid, shape, tile = cut
    written = np.zeros(shape, int)
    for each in grid.tiles(shape, tile):
        written[each.core.to_slices()] += 1
    assert (written == 1).all()


@given(cuts())
def test_all_tiles_have_one_outer_shape_that_the_network_takes(cut):
    grid, shape, tile = cut
    (outer,) = {each.outer.shape for each in grid.tiles(shape, tile)}
    for axis, size in enumerate(outer):
        assert (size - 2 * grid.margin[axis] - grid.surplus[axis]) % grid.stride[axis] == 0
        assert size <= max(tile[axis], grid.smallest_tile()[axis])
        assert size <= grid.input_shape(shape)[axis]


@given(cuts())
def test_tiles_start_on_the_stride_grid(cut):
    grid, shape, tile = cut
    for each in grid.tiles(shape, tile):
        for start, margin, stride in zip(each.outer.start, grid.margin, grid.stride, strict=True):
            assert (start + margin) % stride == 0


@given(cuts())
def test_the_halo_is_whole_inside_the_image_and_absent_beyond_it(cut):
    grid, shape, tile = cut
    end = tuple(
        n - m for n, m in zip(grid.input_shape(shape), grid.margin, strict=True)
    )  # of the whole input, counted from the first pixel of the image
    for each in grid.tiles(shape, tile):
        for axis in range(len(shape)):
            margin, halo = grid.margin[axis], grid.halo[axis]
            assert each.outer.start[axis] <= max(each.core.start[axis] - halo, 0) - margin
            assert each.outer.start[axis] >= -margin
            stop = min(each.core.stop[axis] + halo, shape[axis]) + margin
            assert stop <= each.outer.stop[axis] <= end[axis]


@given(cuts(), st.data())
def test_a_part_of_the_output_is_cropped_to_the_core(cut, data):
    grid, shape, tile = cut
    for each in grid.tiles(shape, tile):
        output = each.outer.grow(tuple(-m for m in grid.margin))
        start = data.draw(st.integers(0, output.shape[0]))
        rows = data.draw(st.integers(0, output.shape[0] - start))
        box, crop = each.part(start, rows)
        pixels = [np.arange(a, b) for a, b in zip(output.start, output.stop, strict=True)]
        pixels[0] = pixels[0][start : start + rows]
        for axis in range(len(shape)):
            core = np.arange(each.core.start[axis], each.core.stop[axis])
            expected = np.intersect1d(core, pixels[axis])
            np.testing.assert_array_equal(pixels[axis][crop.to_slices()[axis]], expected)
            np.testing.assert_array_equal(np.r_[box.to_slices()[axis]], expected)


def test_an_axis_that_fits_stays_whole():
    grid = Grid(stride=(4, 16), halo=(8, 30), margin=(0, 0), surplus=(0, 0))
    (tile,) = grid.tiles((10, 100), (12, 112))
    assert tile == Tile(Box((0, 0), (10, 100)), Box((0, 0), (12, 112)), (0, 0))


def test_the_unet_of_2015_sees_572_pixels_for_388():
    grid = Grid(stride=(16,), halo=(0,), margin=(92,), surplus=(4,))
    assert grid.input_shape((388,)) == (572,)
    assert grid.input_shape((389,)) == (588,)
    tiles = grid.tiles((772,), (572,))
    assert [t.outer for t in tiles] == [Box((-92,), (480,)), Box((292,), (864,))]
    assert [t.core for t in tiles] == [Box((0,), (384,)), Box((384,), (772,))]


@given(st.integers(1, 20), st.integers(0, 50))
def test_positions_beyond_the_border_are_mirrored_then_repeated(size, margin):
    mirrored = np.pad(np.arange(size), margin, mode="reflect")
    expected = np.pad(mirrored, 7, mode="edge")
    found = continued(-margin - 7, size + margin + 7, size, margin)
    np.testing.assert_array_equal(found, expected)


@given(st.data())
def test_reading_beyond_the_border_is_the_padded_image(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=3)))
    margin = tuple(data.draw(st.integers(0, 20)) for _ in shape)
    image = Image(np.arange(np.prod(shape)).reshape(shape), "ZYX"[-len(shape) :])
    whole = np.pad(image.read(), [(0, 0), *((m, m) for m in margin)], mode="reflect")
    whole = np.pad(whole, [(0, 0)] + [(5, 5)] * len(shape), mode="edge")
    frame = Box.whole(shape).grow(margin).grow((5,) * len(shape))
    start = tuple(
        data.draw(st.integers(a, b - 1)) for a, b in zip(frame.start, frame.stop, strict=True)
    )
    stop = tuple(data.draw(st.integers(a + 1, b)) for a, b in zip(start, frame.stop, strict=True))
    box = Box(start, stop)
    expected = whole[:, *box.to_slices(frame)]
    np.testing.assert_array_equal(read_continued(image, box, margin), expected)


class _Spy:
    """An array that remembers which part of it was read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __getitem__(self, index):
        part = self.array[index]
        self.read.append(part.shape)
        return part


def test_only_the_needed_part_is_read():
    spy = _Spy(np.zeros((100, 100), np.uint8))
    read_continued(Image(spy, "YX"), Box((90, 10), (120, 20)), (20, 20))
    assert spy.read == [(21, 10)]  # mirrored: 79 to 99
