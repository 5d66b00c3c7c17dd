"""What every test may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real images, which lies beside the project and not in it."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("UNET_NAPARI_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"the real images are not here: {folder} (set UNET_NAPARI_TEST_DATA)")
    return folder
