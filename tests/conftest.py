"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from unet_napari import Model


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real images, which lies beside the project and not in it."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("UNET_NAPARI_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"the real images are not here: {folder} (set UNET_NAPARI_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def painted_nuclei() -> tuple[np.ndarray, np.ndarray]:
    """Return a small image of nuclei and the labels of all of them."""
    from unet_napari.images import nuclei

    return nuclei((96, 128), count=14, seed=3)


@pytest.fixture(scope="session")
def trained_model(painted_nuclei) -> Model:
    """Return a small 2D cells model that has learned `painted_nuclei`; do not change it."""
    from unet_napari import train

    return train(
        *painted_nuclei,
        task="cells",
        ndim=2,
        steps=200,
        learning_rate=0.01,
        seed=0,
        device="cpu",
        validation=0,
        unpainted="background",
        patch=(64, 64),
        batch=4,
        network_options={"features": [8, 16, 32]},
        augment={"resampled": 0.0, "recoloured": 0.0},
        mixed_precision=False,  # the same model on every CPU
    )
