"""Labels of an image, whatever axes of length 1 either of them has."""

import numpy as np
import PIL.Image
import pytest
import tifffile

from unet_napari.errors import ImageError, LabelsError
from unet_napari.images import Image, open_output
from unet_napari.labels.label_axes import fit_labels, labels_shape, read_labels

SERIES = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)


class Lazy:
    """An array that can only be sliced."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, key):
        return self.array[key]


@pytest.fixture(params=[np.asarray, Lazy], ids=["numpy", "lazy"])
def array(request):
    return request.param


def test_labels_that_fit_are_handed_on(array):
    labels = array(SERIES)
    assert fit_labels(labels, Image(SERIES, "TZYX")) is labels


def test_labels_of_the_images_shape_have_its_axes(array):
    view = fit_labels(array(SERIES), Image(SERIES, "ZTYX"))
    wanted = SERIES.transpose(1, 0, 2, 3)
    assert view.shape == wanted.shape
    for key in (..., (), 2, (2, 1), (slice(1, 3), 0, slice(1, 4), 2), (..., slice(2, 4))):
        np.testing.assert_array_equal(view[key], wanted[key])
    np.testing.assert_array_equal(np.asarray(view), wanted)


@pytest.mark.parametrize("leading", range(4))
@pytest.mark.parametrize("fixed", [{}, {"Z": 0}, {"T": 0, "C": 0}])
def test_axes_of_length_1_may_be_there_or_not(array, leading, fixed):
    plane = SERIES[0, 0]
    image = Image(plane.reshape(1, 1, 1, 4, 5), "TCZYX").select(**fixed)
    view = fit_labels(array(plane.reshape((1,) * leading + plane.shape)), image)
    wanted = plane.reshape(labels_shape(image))
    np.testing.assert_array_equal(view[...], wanted)
    np.testing.assert_array_equal(view[..., 1:3, 2], wanted[..., 1:3, 2])


def test_channels_of_length_1_are_dropped_and_more_of_them_are_no_labels(array):
    five = SERIES.reshape(2, 1, 3, 4, 5)
    np.testing.assert_array_equal(fit_labels(array(five), Image(five, "TCZYX"))[1, 2], SERIES[1, 2])
    two = array(np.concatenate([five, five], axis=1))
    assert fit_labels(two, Image(two.array if array is Lazy else two, "TCZYX")) is two


def test_what_the_image_holds_is_held_in_labels_that_have_it(array):
    image = Image(SERIES, "TZYX")
    np.testing.assert_array_equal(fit_labels(array(SERIES), image.select(T=1))[...], SERIES[1])
    np.testing.assert_array_equal(fit_labels(array(SERIES), image.select(Z=2))[1], SERIES[1, 2])


def test_names_count_where_the_shape_does_not_tell(array):
    image = Image(np.zeros((2, 7, 3, 4, 5)), "TCZYX")
    turned = SERIES.transpose(1, 0, 2, 3)
    np.testing.assert_array_equal(fit_labels(array(turned), image, "ZTYX")[...], SERIES)
    unnamed = array(turned)
    assert fit_labels(unnamed, image) is unnamed


def test_labels_of_another_size_stay_as_they_are(array):
    labels = array(SERIES[:, :2])
    assert fit_labels(labels, Image(SERIES, "TZYX")) is labels


def test_a_file_that_does_not_name_its_axes_has_those_of_the_image(tmp_path):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, SERIES.astype(np.uint16), photometric="minisblack")
    np.testing.assert_array_equal(read_labels(path, Image(SERIES, "TZYX"))[...], SERIES)
    turned = read_labels(path, Image(np.zeros((2, 6, 3, 4, 5)), "TCZYX"))
    np.testing.assert_array_equal(turned[...], SERIES)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ImageError, match="missing"):
        read_labels(tmp_path / "missing.tif", Image(SERIES, "TZYX"))


def test_five_axes_of_a_zarr_file_fit_a_plane(tmp_path):
    path = tmp_path / "labels.zarr"
    with open_output(path, shape=(1, 4, 5), dtype=np.uint16, axes="ZYX", pixel_size={}) as out:
        out[...] = SERIES[:1, 0]
    labels = read_labels(path, Image(SERIES[0, 0], "YX"))
    np.testing.assert_array_equal(labels[...], SERIES[0, 0])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_pictures_of_numbers_are_labels_however_they_are_saved(tmp_path, mode, suffix):
    numbers = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8) % 5
    picture = PIL.Image.fromarray(numbers).convert(mode)
    if mode == "P":
        picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 90, 200])
    picture.save(tmp_path / f"labels{suffix}")
    image = Image(np.zeros((6, 8)), "YX")
    labels = read_labels(tmp_path / f"labels{suffix}", image)
    np.testing.assert_array_equal(labels[...], numbers)


def test_colours_are_no_labels(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    PIL.Image.fromarray(colours).save(tmp_path / "labels.png")
    with pytest.raises(LabelsError, match=r"labels\.png is a picture in colours"):
        read_labels(tmp_path / "labels.png", Image(np.zeros((6, 8)), "YX"))
