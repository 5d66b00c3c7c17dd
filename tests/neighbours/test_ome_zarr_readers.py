"""Other programs read the OME-Zarr that we write; ``tox -e neighbours`` installs them."""

import numpy as np
import pytest

from unet_napari.images import open_output

WHY = "needs programs of others, which `tox -e neighbours` installs"
ome_zarr_reader = pytest.importorskip("ome_zarr.reader", reason=WHY)
ome_zarr_io = pytest.importorskip("ome_zarr.io", reason=WHY)
bioio_ome_zarr = pytest.importorskip("bioio_ome_zarr", reason=WHY)
napari_ome_zarr = pytest.importorskip("napari_ome_zarr", reason=WHY)

SIZES = {"Z": 2.0, "Y": 0.5, "X": 0.25}  # micrometres


@pytest.fixture
def image(tmp_path):
    """An image with labels in it, large enough for a pyramid: their path, pixels and numbers."""
    pixels = np.random.default_rng(0).integers(0, 900, (3, 600, 700)).astype(np.uint16)
    numbers = np.zeros((3, 600, 700), np.uint32)
    numbers[:, 100:200, 100:300], numbers[1:, 300:500, 300:650] = 1, 70_000
    path = tmp_path / "image.zarr"
    options = {"shape": pixels.shape, "axes": "ZYX", "pixel_size": SIZES}
    with open_output(path, dtype=pixels.dtype, **options) as out:
        out[...] = pixels
    with open_output(path / "labels/cells", dtype=numbers.dtype, labels=True, **options) as out:
        out[...] = numbers
    return path, pixels, numbers


def test_ome_zarr_py_finds_the_image_its_labels_and_the_pyramid(image):
    path, pixels, numbers = image
    nodes = list(ome_zarr_reader.Reader(ome_zarr_io.parse_url(path))())
    seen, labels = nodes[0], nodes[-1]
    np.testing.assert_array_equal(np.asarray(seen.data[0]), pixels)
    np.testing.assert_array_equal(np.asarray(labels.data[0]), numbers)
    assert [axis["name"] for axis in seen.metadata["axes"]] == ["z", "y", "x"]
    assert {axis["unit"] for axis in seen.metadata["axes"]} == {"micrometer"}
    assert len(labels.data) > 1
    smaller = set(np.unique(np.asarray(labels.data[-1])).tolist())
    assert smaller == {0, 1, 70_000}  # numbers are taken, never averaged


def test_napari_ome_zarr_lays_the_labels_on_the_image(image):
    path, pixels, numbers = image
    read = napari_ome_zarr.napari_get_reader(str(path))
    layers = {kind: (data, options) for data, options, kind in read(str(path))}
    for kind, values in (("image", pixels), ("labels", numbers)):
        data, options = layers[kind]
        levels = data if isinstance(data, list) else [data]
        np.testing.assert_array_equal(np.asarray(levels[0]), values)
        np.testing.assert_allclose(options["scale"], [2, 0.5, 0.25])


def test_bioio_knows_axes_and_pixel_size(image):
    path, pixels, numbers = image
    for place, values in ((path, pixels), (path / "labels/cells", numbers)):
        reader = bioio_ome_zarr.Reader(str(place))
        assert reader.dims.order.endswith("ZYX")
        np.testing.assert_array_equal(np.squeeze(reader.data), values)
        sizes = reader.physical_pixel_sizes
        assert (sizes.Z, sizes.Y, sizes.X) == (2.0, 0.5, 0.25)
