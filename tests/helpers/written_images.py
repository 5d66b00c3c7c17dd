"""Arrays that tests write to files."""

import numpy as np

from unet_napari.images import open_output

SUFFIXES = [".tif", ".ome.tif", ".zarr"]
ARRAY = np.random.default_rng(0).integers(1, 200, (3, 20, 30)).astype(np.uint16)


def write(path, array=ARRAY, axes="ZYX", pixel_size=None, **options):
    """Write an array as a user would."""
    with open_output(
        path,
        shape=array.shape,
        dtype=array.dtype,
        axes=axes,
        pixel_size=pixel_size or {},
        **options,
    ) as out:
        out[...] = array
