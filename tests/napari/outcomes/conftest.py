"""What the tests of measuring and comparing have in common."""

import numpy as np
import pytest

from unet_napari.engine.arrays import open_ref


class Context:
    """As much of a job's context as the engine's functions take here.

    Its arrays are references of themselves.
    """

    def __init__(self, folder):
        self.folder = folder

    def open(self, reference):
        return open_ref(reference, folders=self.folder.folders)

    def check(self):
        pass

    def send(self, event):
        pass

    def allocate(self, shape, dtype):
        array = np.zeros(shape, dtype)
        return array, array


@pytest.fixture
def context(client):
    return Context(client.folder)


@pytest.fixture
def dock(segment_dock):
    return segment_dock
