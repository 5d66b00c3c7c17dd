"""A folder as a user of the command line has it."""

import pytest
import tifffile


@pytest.fixture
def folder(tmp_path, trained_model, painted_nuclei):
    """A folder with an image, its labels and a model."""
    image, labels = painted_nuclei
    size = {"resolution": (4, 4), "metadata": {"axes": "YX", "unit": "um"}}
    tifffile.imwrite(tmp_path / "image.tif", image, imagej=True, **size)
    tifffile.imwrite(tmp_path / "truth.tif", labels)
    trained_model.save(tmp_path / "model.unet")
    return tmp_path
