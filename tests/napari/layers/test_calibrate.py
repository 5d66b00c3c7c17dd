"""The pixel size that a file knows, given to all that lies on the image."""

import numpy as np
import pytest
from napari.components import ViewerModel

from unet_napari._napari.layers.calibrate import apply_pixel_size

SIZE = {"Z": 2.0, "Y": 0.5, "X": 0.5}


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((10, 20, 30)), name="image")
    return viewer


def units(layer):
    return {str(unit) for unit in layer.units}


def test_every_layer_that_lies_on_the_image_is_scaled(viewer):
    lying = [
        viewer.add_image(np.ones((10, 20, 30)), name="other channel"),
        viewer.add_labels(np.zeros((10, 20, 30), int)),
        viewer.add_labels(np.zeros((10, 5, 5), int), translate=(0, 4, 6), name="crop"),
        viewer.add_shapes([[[2, 2], [2, 12], [12, 12], [12, 2]]]),
        viewer.add_points([[3, 4, 5]]),
        viewer.add_shapes(ndim=3, name="still empty"),
    ]
    before = {layer: layer.extent.world.copy() for layer in lying}
    apply_pixel_size(viewer, viewer.layers["image"], SIZE)
    for layer in lying:
        factors = [2, 0.5, 0.5][-layer.ndim :]
        assert layer.scale.tolist() == factors, layer
        assert units(layer) == {"micrometer"}
        np.testing.assert_allclose(layer.extent.world, before[layer] * factors)


def test_layers_of_other_images_are_left_alone(viewer):
    other = viewer.add_image(np.zeros((10, 50, 60)), name="another field")
    paint = viewer.add_labels(np.zeros((10, 50, 60), int), name="its labels")
    placed = viewer.add_image(np.zeros((10, 20, 30)), scale=(1, 3, 3), units="um")
    apply_pixel_size(viewer, viewer.layers["image"], SIZE)
    assert other.scale.tolist() == paint.scale.tolist() == [1, 1, 1]
    assert placed.scale.tolist() == [1, 3, 3]


def test_what_is_on_the_screen_stays_there(viewer):
    camera = viewer.scene.camera
    camera.center, camera.zoom = (0, 8, 12), 5
    viewer.dims.set_point(0, 4)
    apply_pixel_size(viewer, viewer.layers["image"], SIZE)
    assert viewer.dims.point[0] == pytest.approx(8)  # slice 4 of 2 µm
    assert viewer.dims.current_step[0] == 4
    assert camera.center[1:] == pytest.approx((4, 6))
    assert camera.zoom == pytest.approx(10)


def test_a_turned_layer_is_stretched_as_it_is_seen(viewer):
    turned = viewer.add_points([[0, 4, 5], [0, 10, 5]], rotate=30)
    before = turned.data_to_world((0, 10, 5))
    apply_pixel_size(viewer, viewer.layers["image"], {"Z": 2.0, "Y": 0.5, "X": 0.25})
    expected = np.array(before) * [2, 0.5, 0.25]
    np.testing.assert_allclose(turned.data_to_world((0, 10, 5)), expected)


def test_channels_and_time_have_no_pixel_size():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 3, 20, 30)))
    labels = viewer.add_labels(np.zeros((4, 20, 30), int))
    apply_pixel_size(viewer, image, {"Y": 0.5, "X": 0.5}, "TCYX")
    assert image.scale.tolist() == [1, 1, 0.5, 0.5]
    assert labels.scale.tolist() == [1, 0.5, 0.5]
