"""Images of all kinds in one list: each is shown with its axes, and its labels fit when read."""

import numpy as np
import pytest
import tifffile
from imagecodecs import png_encode

from unet_napari._napari.collection.file_pair import FilePair
from unet_napari._napari.collection.loaded_image import load, show
from unet_napari._napari.collection.paint_keeper import PaintKeeper
from unet_napari._napari.layers.layer_axes import image_of
from unet_napari.collection.image_list import ImageList
from unet_napari.images import open_output
from unet_napari.labels.label_axes import fit_labels, labels_shape

UM = {"Y": 0.25, "X": 0.25}


def write_tiff(path, axes, shape):
    with open_output(
        path, shape=shape, dtype="uint16", axes=axes, pixel_size={**UM, "Z": 1.0}
    ) as output:
        output[...] = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)


def write_png(path, _, shape):
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    path.write_bytes(png_encode(pixels))


KINDS = {
    "stack": ("a.tif", "ZYX", (4, 20, 30), "ZYX", False),
    "film": ("a.tif", "TYX", (5, 20, 30), "TYX", False),
    "film of stacks": ("a.ome.tif", "TZYX", (3, 4, 20, 30), "TZYX", False),
    "channels": ("a.tif", "CYX", (2, 20, 30), "CYX", False),
    "one frame": ("a.ome.tif", "TZYX", (1, 4, 20, 30), "ZYX", False),
    "zarr": ("a.zarr", "ZYX", (4, 20, 30), "ZYX", False),
    "colours": ("a.png", "YXC", (20, 30, 3), "YXC", True),
    "gray": ("a.png", "YX", (20, 30), "YX", False),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request, tmp_path):
    """Write an image; return the list with it, the axes of its layer, and whether in colour."""
    name, axes, shape, shown, rgb = request.param
    write = write_png if name.endswith(".png") else write_tiff
    write(tmp_path / name, axes, shape)
    return ImageList(tmp_path), shown, rgb


def test_an_image_is_shown_with_its_axes_and_its_labels_fit_when_read(kind, viewer, qtbot):
    images, shown, rgb = kind
    (entry,) = images
    loaded = load(entry, None)
    layer, labels = show(viewer, loaded)
    assert layer.rgb == rgb
    image = image_of(layer)
    assert image.axes == shown
    if not rgb and entry.image.suffix != ".png":
        assert (image.pixel_size["Y"], image.pixel_size["X"]) == (0.25, 0.25)
    assert labels.data.shape == labels_shape(image)
    assert image.source == entry.image

    keeper = PaintKeeper(viewer)
    saver = keeper.follow(images, loaded, labels)
    labels.data_setitem(tuple(np.array([n // 2]) for n in labels.data.shape), 7)
    saver.leave()
    qtbot.waitUntil(lambda: saver.is_settled)
    assert saver.painted
    images.look_again()
    (entry,) = images
    assert entry.stored == entry.labels
    np.testing.assert_array_equal(load(entry, None).paint.labels, labels.data)
    pair = FilePair(entry, None, "").read()
    fitted = fit_labels(pair.labels, pair.image)
    np.testing.assert_array_equal(np.asarray(fitted[...]), labels.data)


def test_a_large_image_is_not_read_as_a_whole(tmp_path, viewer, monkeypatch):
    write_tiff(tmp_path / "a.tif", "ZYX", (4, 20, 30))
    monkeypatch.setattr("unet_napari._napari.collection.loaded_image._IN_MEMORY", 100)
    (entry,) = ImageList(tmp_path)
    loaded = load(entry, None)
    np.testing.assert_array_equal(loaded.image.data, tifffile.imread(tmp_path / "a.tif"))
    assert isinstance(loaded.image.data, np.memmap)
