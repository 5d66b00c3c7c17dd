"""A backend that is added outside the package: this one file is all that it takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unet_napari.errors import SettingsError
from unet_napari.images import Image
from unet_napari.inference import InferenceConfig, predict_steps
from unet_napari.inference.backends.table import BACKEND_ENTRIES, BackendEntry
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.prepared import PreparedModel


class Mirror:
    """A backend whose logits are the image, for each of the maps."""

    made_with: tuple = ()

    def __init__(self, network, device, precision):
        Mirror.made_with = (network.training, device.type, precision)
        self.description = "mirror"

    def logits(self, batch):
        return torch.from_numpy(batch).expand(-1, 3, *batch.shape[2:])


@pytest.fixture(autouse=True)
def mirror():
    """Add the backend for the time of a test."""
    yield BACKEND_ENTRIES.add(
        BackendEntry(
            name="mirror",
            title="Mirror",
            implementation=f"{__name__}:Mirror",
            precisions=("auto", "fp32"),
            workspace=1.0,
        )
    )
    BACKEND_ENTRIES.remove("mirror")


@pytest.fixture
def model():
    from unet_napari.images import Normalisation
    from unet_napari.model.model import Model
    from unet_napari.networks import UNet
    from unet_napari.tasks import CellsTask

    return Model(UNet(1, 3, (4, 8)).eval(), CellsTask(), Normalisation())


def test_it_predicts(model):
    image = Image(np.random.default_rng(0).random((40, 50), np.float32), "YX")
    out = np.zeros((3, 40, 50), np.float32)
    config = InferenceConfig(device="cpu", backend="mirror")
    stages = {step.stage for step in predict_steps(image, model, out, config)}
    assert stages == {"predicting (mirror on cpu, one tile)"}
    assert Mirror.made_with == (False, "cpu", "auto")
    seen = model.normalisation.apply(image.read(), model.normalisation.measure(image))
    expected = np.broadcast_to(1 / (1 + np.exp(-seen)), out.shape)
    np.testing.assert_allclose(out, expected, atol=1e-6)


def test_a_number_format_that_it_lacks_is_refused(model):
    config = InferenceConfig(device="cpu", backend="mirror", precision="bf16")
    with pytest.raises(SettingsError, match="Mirror computes in fp32 here, not in bf16"):
        make_plan(PreparedModel.of(model), (20, 20), config)
    with pytest.raises(SettingsError, match="int8"):
        InferenceConfig(backend="mirror", precision="int8")


def test_a_name_that_is_taken_is_refused(mirror):
    with pytest.raises(ValueError, match="There already is a backend named 'mirror'"):
        BACKEND_ENTRIES.add(mirror)
