"""Images of some formats that are written for a test."""

import pytest
import tifffile
import zarr

from zarr_images import CZYX, STACK


@pytest.fixture
def ome_zarr(tmp_path):
    """Write an OME-Zarr image of two levels and return its folder."""

    def write(array=STACK, axes=CZYX, scale=(1, 2000, 500, 250), zarr_format=3, **more):
        path = tmp_path / "image.zarr"
        levels = [
            {"path": name, "coordinateTransformations": [{"type": "scale", "scale": list(scale)}]}
            for name in ("full", "half")
        ]
        image = {"axes": axes, "datasets": levels, **more}
        if zarr_format == 3:
            attributes = {"ome": {"version": "0.5", "multiscales": [image]}}
        else:
            attributes = {"multiscales": [{"version": "0.4", **image}]}
        group = zarr.create_group(str(path), zarr_format=zarr_format, attributes=attributes)
        group.create_array("full", data=array, chunks=(1,) * (array.ndim - 2) + (10, 10))
        group.create_array("half", data=array[..., ::2, ::2])
        return path

    return write


@pytest.fixture
def write_tiff(tmp_path):
    """Write an array with tifffile and return the path."""

    def write(array, name="image.tif", **options):
        path = tmp_path / name
        tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})
        return path

    return write
