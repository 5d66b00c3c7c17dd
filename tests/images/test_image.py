"""An image gives the region asked for, channel first, and nothing else."""

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from unet_napari.errors import ImageError
from unet_napari.images import Image, as_image

ALL_AXES = ["YX", "ZYX", "CYX", "YXC", "CZYX", "ZCYX", "ZYXC", "TYX", "TZYX", "TCZYX", "TZCYX"]


@pytest.fixture
def stack() -> np.ndarray:
    return np.arange(3 * 2 * 5 * 7, dtype=np.uint16).reshape(3, 2, 5, 7)


def test_geometry_by_letters(stack):
    image = Image(stack, "ZCYX")
    assert (image.ndim, image.spatial_axes, image.shape) == (3, "ZYX", (3, 5, 7))
    assert (image.channels, image.frames) == (2, 1)


def test_a_read_is_channel_first(stack):
    pixels = Image(stack, "zcyx").read((slice(1, 3), slice(0, 4), slice(2, 7)))
    np.testing.assert_array_equal(pixels, stack.transpose(1, 0, 2, 3)[:, 1:3, :4, 2:])


@given(st.sampled_from(ALL_AXES), st.data())
def test_a_region_is_the_same_part_of_the_whole(axes, data):
    shape = [data.draw(st.integers(1, 6), label=axis) for axis in axes]
    array = np.arange(np.prod(shape)).reshape(shape)
    image = Image(array, axes)
    frame = data.draw(st.integers(0, image.frames - 1), label="frame")
    image = image.select(T=frame)
    region = tuple(
        slice(*sorted((data.draw(st.integers(0, size)), data.draw(st.integers(0, size)))))
        for size in image.shape
    )
    named = dict(zip(image.spatial_axes, region, strict=True))
    if "T" in axes:
        array = array.take([frame], axes.index("T")).squeeze(axes.index("T"))
    left = axes.replace("T", "")
    expected = array[tuple(named.get(axis, slice(None)) for axis in left)]
    expected = np.moveaxis(expected, left.index("C"), 0) if "C" in left else expected[np.newaxis]
    np.testing.assert_array_equal(image.read(region), expected)


def test_only_the_region_is_read(stack, recorder):
    watched = recorder(stack)
    image = Image(watched, "ZCYX").select(Z=1)
    assert watched.keys == []
    image.read((slice(1, 3), slice(2, 4)))
    assert watched.keys == [(1, slice(0, 2), slice(1, 3), slice(2, 4))]


def test_selecting_holds_an_axis(stack):
    plane = Image(stack, "ZCYX", {"Z": 2.0, "Y": 0.5, "X": 0.5}).select(Z=2)
    assert (plane.spatial_axes, plane.shape, plane.channels) == ("YX", (5, 7), 2)
    np.testing.assert_array_equal(plane.read(), stack[2])
    np.testing.assert_array_equal(plane.select(C=1).read(), stack[2, 1:])


def test_selecting_the_only_frame_of_a_still_is_allowed(stack):
    image = Image(stack, "ZCYX")
    np.testing.assert_array_equal(image.select(T=0).read(), image.read())
    with pytest.raises(ImageError, match="no T axis"):
        image.select(T=1)


def test_selecting_beyond_the_end_names_the_range(stack):
    with pytest.raises(ImageError, match="no Z = 3: Z runs from 0 to 2"):
        Image(stack, "ZCYX").select(Z=3)


@pytest.mark.parametrize("axis", ["Y", "Q"])
def test_rows_and_unknown_axes_cannot_be_selected(stack, axis):
    with pytest.raises(ValueError, match="no free axis"):
        Image(stack, "ZCYX").select(**{axis: 0})


def test_an_axis_is_selected_once(stack):
    with pytest.raises(ValueError, match="no free axis Z"):
        Image(stack, "ZCYX").select(Z=1).select(Z=0)


def test_a_time_point_has_to_be_selected(stack):
    image = Image(stack, "TZYX")
    assert image.frames == 3
    with pytest.raises(ValueError, match="3 time points"):
        image.read()
    assert image.select(T=1).frames == 1
    np.testing.assert_array_equal(image.select(T=1).read(), stack[1:2])


@pytest.mark.parametrize(
    "region", [(slice(0, 2),), (slice(None), slice(0, 4, 2)), (slice(0, 2),) * 3]
)
def test_a_region_that_does_not_fit(region):
    with pytest.raises(ValueError, match=r"slices for|step 1"):
        Image(np.zeros((5, 6)), "YX").read(region)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", ">u2", "<i4", ">i8", "u8", "f2", ">f4", "f8"])
def test_any_number_in_native_order(dtype):
    array = np.arange(-6, 6).astype(dtype).reshape(3, 4)
    pixels = Image(array, "YX").read()
    assert pixels.dtype == np.dtype(dtype).newbyteorder("=")
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels[0], array)


def test_odd_strides_and_read_only_arrays():
    array = np.arange(600).reshape(20, 30)[::-3, 4::2].T
    array.flags.writeable = False
    image = as_image(array)
    pixels = image.read((slice(2, 5), slice(1, 7)))
    np.testing.assert_array_equal(pixels[0], array[2:5, 1:7])
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


def test_changing_what_was_read_changes_nothing(stack):
    before = stack.copy()
    Image(stack, "ZCYX").read()[:] = 0
    np.testing.assert_array_equal(stack, before)


@pytest.mark.parametrize("make", [da.from_array, zarr.array], ids=["dask", "zarr"])
def test_lazy_arrays_read_like_numpy(stack, make):
    image = Image(make(stack), "ZCYX")
    region = (slice(1, 2), slice(1, 5), slice(0, 3))
    pixels = image.select(C=1).read(region)
    assert type(pixels) is np.ndarray
    np.testing.assert_array_equal(pixels[0], stack[1:2, 1, 1:5, :3])


def test_what_a_lazy_array_raises_names_the_image():
    def fail(block):
        raise RuntimeError("lost the network drive")

    lazy = da.zeros((4, 4), chunks=2).map_blocks(fail, dtype="f8", meta=np.zeros((0, 0)))
    with pytest.raises(ImageError, match=r"mine cannot be read: lost the network drive"):
        as_image(lazy, name="mine").read()


def test_running_out_of_memory_is_not_a_damaged_file(recorder):
    class Greedy(recorder):
        def __getitem__(self, key):
            raise MemoryError

    with pytest.raises(MemoryError):
        Image(Greedy(np.zeros((4, 4))), "YX").read()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), "c8"),
        np.zeros((4, 4), object),
        np.zeros((4, 4), "U3"),
        np.zeros((4, 4), "M8[s]"),
        np.zeros((4, 4), [("a", "u1")]),
    ],
    ids=lambda array: array.dtype.kind,
)
def test_pixels_are_numbers(array):
    with pytest.raises(ImageError, match="plain numbers"):
        as_image(array)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 4, 4), (5, 0, 3)])
def test_an_empty_image_is_refused(shape):
    with pytest.raises(ImageError, match="is empty: its shape is"):
        as_image(np.zeros(shape))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"C": 1.0}, "not along 'C'"),
        ({"X": 0.0}, "0.0 along X"),
        ({"Y": -1.0}, "-1.0 along Y"),
        ({"X": float("nan")}, "nan along X"),
    ],
)
def test_an_impossible_pixel_size(sizes, message):
    with pytest.raises(ImageError, match=message):
        as_image(np.zeros((4, 4)), pixel_size=sizes)


def test_as_image_takes_lists_and_what_the_user_says():
    image = as_image([[1, 2], [3, 4]], pixel_size={"X": 0.5}, name="tiny")
    assert (image.axes, image.pixel_size, image.name) == ("YX", {"X": 0.5}, "tiny")
    again = as_image(image, pixel_size={"Y": 0.6}, name="renamed")
    assert (again.pixel_size, again.name) == ({"X": 0.5, "Y": 0.6}, "renamed")
    np.testing.assert_array_equal(again.read(), [[[1, 2], [3, 4]]])


def test_as_image_picks_a_channel(stack):
    image = as_image(stack, axes="ZCYX", channel=1)
    assert image.channels == 1
    np.testing.assert_array_equal(image.read()[0], stack[:, 1])
    with pytest.raises(ImageError, match=r"has 2 channel\(s\), counted from 0; .* no channel 2"):
        as_image(stack, axes="ZCYX", channel=2)
    with pytest.raises(ImageError, match="no channel -1"):
        as_image(stack, axes="ZCYX", channel=-1)


def test_channel_0_of_an_image_without_channels():
    assert as_image(np.ones((4, 4)), channel=0).read().shape == (1, 4, 4)


def test_given_axes_win(stack):
    image = as_image(Image(stack, "TZYX"), axes="ZCYX")
    assert image.axes == "ZCYX"


def test_more_channels_than_any_microscope_has_are_refused():
    pixels = np.broadcast_to(np.uint8(1), (5000, 8, 8))
    with pytest.raises(ImageError, match="5000 channels"):
        Image(pixels, "CYX")
