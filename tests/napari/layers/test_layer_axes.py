import numpy as np
import pytest
from napari.components import ViewerModel

from napari.layers import Image, Labels
from unet_napari._napari.layers.calibrate import apply_pixel_size
from unet_napari._napari.layers.layer_axes import (
    ViewPlace,
    axes_of,
    current_slice,
    current_view,
    geometry,
    image_of,
    new_labels,
)
from unet_napari.errors import ImageError


def place_of(layer):
    """Everything that says where a layer lies."""
    return {
        "scale": layer.scale.tolist(),
        "translate": layer.translate.tolist(),
        "rotate": layer.rotate.round(6).tolist(),
        "shear": np.round(layer.shear, 6).tolist(),
        "affine": layer.affine.affine_matrix.round(6).tolist(),
        "units": [str(unit) for unit in layer.units],
        "axis_labels": layer.axis_labels,
    }


@pytest.mark.parametrize(
    ("shape", "options", "axes"),
    [
        ((20, 30), {}, "YX"),
        ((10, 20, 30), {}, "ZYX"),
        ((20, 30, 3), {"rgb": True}, "YXC"),
        ((10, 20, 30, 3), {"rgb": True}, "ZYXC"),
        ((10, 20, 30), {"axis_labels": ("t", "y", "x")}, "TYX"),
        ((3, 20, 30), {"axis_labels": ("channel", "Y", "X")}, "CYX"),
        ((4, 20, 30, 3), {"rgb": True, "axis_labels": ("time", "y", "x")}, "TYXC"),
        ((10, 20, 30), {"axis_labels": ("a", "b", "c")}, "ZYX"),
    ],
)
def test_axes_are_read_from_the_labels_or_the_shape(shape, options, axes):
    assert axes_of(Image(np.zeros(shape, np.uint8), **options)) == axes


def test_what_the_user_says_comes_first():
    layer = Image(np.zeros((10, 20, 30)), axis_labels=("z", "y", "x"))
    assert axes_of(layer, "tyx") == "TYX"


def test_five_axes_without_names_are_not_guessed_at():
    with pytest.raises(ImageError, match=r"2 x 3 x 4 x 20 x 30.*Axes"):
        axes_of(Image(np.zeros((2, 3, 4, 20, 30))))


def test_an_image_is_passed_by_reference():
    data = np.zeros((14, 20, 30), np.uint16)
    assert image_of(Image(data)).data is data


def test_of_a_pyramid_the_full_resolution_is_taken():
    levels = [np.zeros((64, 64)), np.zeros((32, 32)), np.zeros((16, 16))]
    assert image_of(Image(levels, multiscale=True)).data.shape == (64, 64)


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [
        ((2, 0.5, 0.5), ("um", "um", "um"), {"Z": 2, "Y": 0.5, "X": 0.5}),
        ((500, 250, 250), ("nm", "nm", "nm"), {"Z": 0.5, "Y": 0.25, "X": 0.25}),
        ((2, 0.5, 0.5), None, {"Z": 2, "Y": 0.5, "X": 0.5}),
        ((1, 1, 1), None, {}),
        ((1, 1, 1), ("um", "um", "um"), {"Z": 1, "Y": 1, "X": 1}),
    ],
)
def test_pixel_size_is_in_micrometres(scale, units, expected):
    layer = Image(np.zeros((5, 20, 30)), scale=scale, units=units)
    assert image_of(layer).pixel_size == pytest.approx(expected)


def test_a_flip_a_turn_and_an_affine_are_seen_in_the_pixel_size():
    pixels, um = np.zeros((20, 30)), ("um", "um")
    flipped = Image(pixels, scale=(-0.5, 0.25), units=um)
    assert image_of(flipped).pixel_size == pytest.approx({"Y": 0.5, "X": 0.25})
    stretched = Image(pixels, scale=(1, 2), affine=np.diag([0.5, -0.2, 1]), units=um)
    assert image_of(stretched).pixel_size == pytest.approx({"Y": 0.5, "X": 0.4})
    assert image_of(Image(pixels, rotate=30)).pixel_size == {}


def test_labels_lie_on_their_image_in_every_respect():
    layer = Image(
        np.zeros((5, 20, 30)),
        scale=(2, 0.5, 0.25),
        translate=(1, 2, 3),
        rotate=10,
        shear=(0, 0, 0.3),
        affine=np.diag([1, 2, 2, 1]),
        units=("um", "um", "um"),
        axis_labels=("z", "y", "x"),
    )
    labels = Labels(np.zeros((5, 20, 30), int), **geometry(layer, "ZYX"))
    assert place_of(labels) == place_of(layer)


def test_the_channel_axis_is_dropped():
    layer = Image(
        np.zeros((3, 5, 20, 30)),
        scale=(1, 2, 0.5, 0.25),
        translate=(9, 1, 2, 3),
        units=("pixel", "um", "um", "um"),
        axis_labels=("c", "z", "y", "x"),
    )
    labels = Labels(np.zeros((5, 20, 30), int), **geometry(layer, "CZYX"))
    assert labels.scale.tolist() == [2, 0.5, 0.25]
    assert labels.translate.tolist() == [1, 2, 3]
    assert labels.axis_labels == ("z", "y", "x")
    assert [str(unit) for unit in labels.units] == ["micrometer"] * 3


def test_colours_are_not_an_axis_of_the_labels():
    layer = Image(np.zeros((20, 30, 3), np.uint8), rgb=True, scale=(0.5, 0.5))
    viewer = ViewerModel()
    viewer.add_layer(layer)
    labels = new_labels(viewer, layer)
    assert labels.data.shape == (20, 30)
    assert labels.scale.tolist() == [0.5, 0.5]


def test_new_labels_have_room_for_more_than_255_cells():
    viewer = ViewerModel()
    labels = new_labels(viewer, viewer.add_image(np.zeros((20, 30)), name="cells"))
    assert labels.data.dtype.itemsize > 1
    assert labels.name == "cells labels"
    assert viewer.layers[-1] is labels


def test_the_current_slice_follows_the_sliders_in_the_layers_own_pixels():
    viewer = ViewerModel()
    layer = viewer.add_image(
        np.zeros((7, 10, 20, 30)), scale=(1, 2, 0.5, 0.5), translate=(0, 4, 0, 0)
    )
    viewer.dims.set_point((0, 1), (3, 10))
    assert current_slice(viewer, layer, "TZYX") == ViewPlace({"T": 3, "Z": 3})


def test_the_slice_is_the_plane_that_is_shown():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((10, 20, 30)))
    viewer.dims.set_point((0, 1), (6, 9))
    assert current_slice(viewer, layer, "ZYX").index == {"Z": 6}
    viewer.dims.order = (1, 0, 2)
    assert current_slice(viewer, layer, "ZYX").index == {"Y": 9}


def test_a_layer_with_fewer_axes_than_the_viewer():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((5, 10, 20, 30)))
    layer = viewer.add_image(np.zeros((10, 20, 30)))
    viewer.dims.set_point((0, 1), (4, 8))
    assert current_slice(viewer, layer, "ZYX").index == {"Z": 8}


def test_the_view_is_the_visible_part():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((10, 200, 300)))
    viewer.dims.set_point(0, 2)
    layer.corner_pixels = np.array([[0, 20, 30], [0, 119, 129]])
    place = current_view(viewer, layer, "ZYX")
    assert place == ViewPlace({"Z": 2}, {"Y": slice(20, 120), "X": slice(30, 130)})
    assert place.indexer("ZYX") == (2, slice(20, 120), slice(30, 130))


def test_the_view_of_a_pyramid_is_told_in_full_pixels():
    viewer = ViewerModel()
    layer = viewer.add_image([np.zeros((200, 300)), np.zeros((50, 75))], multiscale=True)
    layer.data_level = 1
    layer.corner_pixels = np.array([[5, 10], [24, 74]])
    place = current_view(viewer, layer, "YX")
    assert place.region == {"Y": slice(20, 100), "X": slice(40, 300)}


def test_a_pixel_size_is_applied_to_the_labels_as_well():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((10, 20, 30)))
    labels = viewer.add_labels(np.zeros((10, 20, 30), int))
    other = viewer.add_labels(np.zeros((20, 30), int))
    apply_pixel_size(viewer, image, {"Z": 2, "Y": 0.5, "X": 0.5})
    assert image.scale.tolist() == labels.scale.tolist() == [2, 0.5, 0.5]
    assert {str(unit) for unit in (*image.units, *labels.units)} == {"micrometer"}
    assert other.scale.tolist() == [1, 1]
