"""Workers as threads of the test's process, and images in folders that they see."""

import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster
from scipy import ndimage

from unet_napari.images import nuclei

AXES = {2: ["y", "x"], 3: ["z", "y", "x"]}


@pytest.fixture(scope="session")
def client():
    """Two workers of one thread, without processes of their own.

    They are not the default of Dask, which tests of other things would compute with.
    """
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0",
            silence_logs="ERROR",
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        yield client


@pytest.fixture
def small_chunks(monkeypatch):
    """Let small images have several regions."""
    monkeypatch.setattr("unet_napari.cluster.regions._CHUNK", {2: 16, 3: 8})


@pytest.fixture
def saved(tmp_path):
    """Return a function that writes pixels as a zarr and returns its path."""

    def save(pixels, name="image", axes=None):
        path = tmp_path / f"{name}.zarr"
        chunks = tuple(min(size, 32) for size in pixels.shape)
        axes = axes or AXES[pixels.ndim]
        zarr.create_array(path, data=pixels, chunks=chunks, dimension_names=axes)
        return path

    return save


@pytest.fixture(scope="session")
def many_nuclei():
    """Return an image of a hundred nuclei."""
    return nuclei((200, 260), count=90, seed=5)[0]


@pytest.fixture(scope="session")
def bright_volume():
    """Return a volume with bright blobs."""
    noise = np.random.default_rng(1).standard_normal((24, 72, 80))
    smooth = ndimage.gaussian_filter(noise, 3)
    return (np.clip(smooth / smooth.std(), 0, 3) * 80).astype(np.uint8)
