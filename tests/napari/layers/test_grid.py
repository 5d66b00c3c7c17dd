"""Labels and shapes are taken where they are seen."""

import numpy as np
import pytest

from napari.layers import Image, Labels, Shapes
from unet_napari._napari.layers.grid import UnplacedError
from unet_napari._napari.sections.paint import take_snapshot
from unet_napari.errors import LabelsError


def labels_on(image, labels, annotated=None):
    """What training gets of labels."""
    taken = take_snapshot(image, labels, None, annotated, copy=True).settled()
    return np.asarray(taken.labels)


@pytest.fixture
def paint():
    paint = np.zeros((20, 30), np.uint16)
    paint[4:8, 10:16] = 3
    return paint


def test_labels_on_the_image_are_taken_pixel_by_pixel(paint):
    place = {"scale": (0.5, 0.5), "translate": (7, 9), "units": ("um", "um")}
    image = Image(np.zeros((20, 30)), **place)
    np.testing.assert_array_equal(labels_on(image, Labels(paint, **place)), paint)


def test_labels_that_lie_some_pixels_off_are_taken_where_they_lie(paint):
    image = Image(np.zeros((20, 30)), scale=(2, 2))
    taken = labels_on(image, Labels(paint, scale=(2, 2), translate=(6, -8)))
    expected = np.zeros_like(paint)
    expected[7:11, 6:12] = 3
    np.testing.assert_array_equal(taken, expected)


def test_a_small_layer_of_labels_counts_where_it_lies_on_a_large_image(paint):
    taken = labels_on(Image(np.zeros((100, 100))), Labels(paint, translate=(50, 60)))
    assert taken.shape == (100, 100)
    np.testing.assert_array_equal(taken[50:70, 60:90], paint)
    assert taken.sum() == paint.sum()


def test_labels_of_other_pixels_are_read_at_the_nearest_one(paint):
    coarse = Labels(paint, scale=(2, 2), translate=(0.5, 0.5))
    taken = labels_on(Image(np.zeros((40, 60))), coarse)
    np.testing.assert_array_equal(taken, paint.repeat(2, 0).repeat(2, 1))


def test_units_are_converted(paint):
    image = Image(np.zeros((20, 30)), scale=(0.5, 0.5), units=("um", "um"))
    labels = Labels(paint, scale=(500, 500), units=("nm", "nm"))
    np.testing.assert_array_equal(labels_on(image, labels), paint)


def test_labels_that_lie_beside_the_image_are_refused_and_both_are_named(paint):
    labels = Labels(paint, translate=(0, 64), name="tile B")
    with pytest.raises(LabelsError, match=r"'tile B' lies elsewhere than 'tile A'"):
        labels_on(Image(np.zeros((20, 30)), name="tile A"), labels)


def test_turned_labels_are_refused_and_both_are_named(paint):
    with pytest.raises(LabelsError, match=r"'paint' is turned.*'cells'"):
        labels_on(Image(np.zeros((20, 30)), name="cells"), Labels(paint, rotate=5, name="paint"))


def test_labels_without_a_place_are_asked_about(paint):
    image = Image(np.zeros((20, 30)), scale=(0.25, 0.25), units=("um", "um"), name="cells")
    with pytest.raises(UnplacedError, match=r"'paint' does not lie on 'cells'.*Lay on"):
        labels_on(image, Labels(paint, name="paint"))


def test_a_flipped_image_and_its_labels_agree(paint):
    image = Image(np.zeros((20, 30)), scale=(-1, 1))
    taken = labels_on(image, Labels(paint[::-1], translate=(-19, 0)))
    np.testing.assert_array_equal(taken, paint)


def region(corners, shape, **shapes_options):
    shapes = Shapes([np.array(corners, float)], **shapes_options)
    image, labels = Image(np.zeros(shape)), Labels(np.ones(shape, np.uint16))
    return take_snapshot(image, labels, None, shapes, copy=True).complete()


def test_a_rectangle_drawn_in_the_xz_view_covers_its_plane():
    mask = region([[2, 9, 4], [2, 9, 20], [10, 9, 20], [10, 9, 4]], (16, 24, 32))
    assert mask[2:11, 9, 4:21].all()
    assert int(mask.sum()) == 9 * 17
    assert not np.delete(mask, 9, axis=1).any()


def test_a_rectangle_drawn_in_the_yz_view_covers_its_plane():
    mask = region([[2, 4, 9], [2, 20, 9], [10, 20, 9], [10, 4, 9]], (16, 24, 32))
    assert mask[2:11, 4:21, 9].all()
    assert int(mask.sum()) == 9 * 17


def test_a_tilted_shape_is_refused():
    with pytest.raises(LabelsError, match=r"tilted.*Z, Y, X"):
        region([[2, 4, 9], [2, 20, 15], [10, 20, 15], [10, 4, 9]], (16, 24, 32), name="regions")


def test_a_shape_beside_the_image_covers_nothing_of_it():
    mask = region([[40, 4, 4], [40, 4, 20], [40, 9, 20], [40, 9, 4]], (16, 24, 32))
    assert not mask.any()
