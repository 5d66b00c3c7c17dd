"""What a layer's file knows is used in the docks as on the command line."""

import numpy as np
import pytest
import tifffile

from napari.layers import Image
from unet_napari._napari.layers.file_facts import known_facts, read_facts
from unet_napari._napari.layers.layer_axes import axes_of, image_of
from unet_napari.images import read_image


@pytest.fixture
def layer_of(tmp_path):
    """Open a TIFF the way napari's own reader does: its axes and pixel size are lost."""

    def make(shape, axes, **metadata):
        path = tmp_path / "image.tif"
        pixels = np.zeros(shape, np.uint16)
        resolution = (4, 4)  # pixels of a quarter of a micrometre
        tifffile.imwrite(
            path, pixels, imagej=True, resolution=resolution, metadata={"axes": axes, **metadata}
        )
        layer = Image(tifffile.imread(path), name="image")
        layer._source = layer.source.model_copy(update={"path": str(path)})
        return layer, path

    return make


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((6, 20, 30), "TYX"), ((5, 20, 30), "CYX"), ((6, 20, 30), "ZYX"), ((2, 6, 20, 30), "TZYX")],
)
def test_a_film_is_no_stack_and_channels_are_no_slices(layer_of, shape, axes):
    layer, path = layer_of(shape, axes, unit="um", spacing=2.0)
    assert known_facts(layer).axes == ""
    facts = read_facts(layer)
    assert facts.axes == axes
    assert axes_of(layer) == axes == read_image(path).axes
    assert image_of(layer).pixel_size == pytest.approx(dict(read_image(path).pixel_size))
    assert image_of(layer).pixel_size["X"] == pytest.approx(0.25)


def test_what_the_user_and_the_layer_say_comes_first(layer_of):
    layer, _ = layer_of((6, 20, 30), "TYX", unit="um")
    read_facts(layer)
    assert axes_of(layer, "ZYX") == "ZYX"
    layer.axis_labels = ("z", "y", "x")
    assert axes_of(layer) == "ZYX"
    layer.scale = (1, 0.1, 0.1)
    assert image_of(layer).pixel_size["X"] == pytest.approx(0.1)


def test_other_pixels_than_the_files_are_not_described_by_it(layer_of):
    layer, _ = layer_of((6, 20, 30), "TYX", unit="um")
    read_facts(layer)
    layer.data = np.zeros((6, 10, 30))
    assert known_facts(layer).axes == ""
    assert axes_of(layer) == "ZYX"
    assert image_of(layer).pixel_size == {}


def test_a_layer_without_a_file_or_of_a_file_that_is_gone_knows_nothing(layer_of):
    assert read_facts(Image(np.zeros((6, 20, 30)))).axes == ""
    layer, path = layer_of((6, 20, 30), "TYX")
    path.unlink()
    assert read_facts(layer).axes == ""
