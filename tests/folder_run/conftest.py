"""A list of images of unlike shape, and what segments it."""

from functools import partial

import numpy as np
import pytest
import tifffile

from unet_napari.folder_run.image_line import ImageLine
from unet_napari.folder_run.order import FolderOrder, ListedImage
from unet_napari.folder_run.run import folder_steps
from unet_napari.folder_run.tables import FolderTables
from unet_napari.images import read_image
from unet_napari.inference import InferenceConfig


@pytest.fixture
def pictures(tmp_path, painted_nuclei):
    """Write three images of unlike shape: a plane, a part of it, a film; return their paths."""
    image = painted_nuclei[0]
    (tmp_path / "images").mkdir()
    arrays = {"a": image, "b": image[:50], "c": np.stack([image, image[::-1]])}
    for name, array in arrays.items():
        axes = "TYX"[3 - array.ndim :]
        tifffile.imwrite(
            tmp_path / "images" / f"{name}.tif", array, imagej=True, metadata={"axes": axes}
        )
    return [tmp_path / "images" / f"{name}.tif" for name in arrays]


@pytest.fixture
def listed(tmp_path):
    """Return the list of some files, with outputs beside each other."""
    (tmp_path / "out").mkdir()

    def listed(paths):
        return [
            ListedImage(path.stem, tmp_path / "out" / f"{path.stem}.tif", partial(read_image, path))
            for path in paths
        ]

    return listed


@pytest.fixture
def order(trained_model):
    return FolderOrder(
        trained_model,
        InferenceConfig(backend="torch", device="cpu"),
        measured=True,
        doubted=True,
        thumbnail=64,
    )


@pytest.fixture
def run_over(tmp_path):
    """Segment a list to its end; return the lines and the end."""

    def run_over(items, order, **files):
        steps = folder_steps(items, order, FolderTables(**files))
        lines = []
        while True:
            try:
                event = next(steps)
            except StopIteration as end:
                return lines, end.value
            if isinstance(event, ImageLine):
                lines.append(event)

    return run_over
