"""The table of backends: whole entries, and one more for a backend that is not ours."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from unet_napari.errors import ResourceError, SettingsError
from unet_napari.images import Image
from unet_napari.inference import InferenceConfig, predict_steps
from unet_napari.inference.backends.table import (
    BACKEND_ENTRIES,
    BackendEntry,
    backend_choices,
    register_backend,
)
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.prepared import PreparedModel

SOUND = {
    "name": "mine",
    "title": "Mine",
    "maker": f"{__name__}:Mine",
    "precisions": ("auto", "fp32"),
    "workspace": 1.0,
}


class Mine:
    """A backend from outside the package, whose logits are the image, for each of the maps."""

    made: tuple = ()

    def __init__(self, network, device, precision):
        Mine.made = (network.training, device.type, precision)
        self.description = "mine"

    def logits(self, batch):
        return torch.from_numpy(batch).expand(-1, 3, *batch.shape[2:])


@pytest.fixture
def mine():
    entry = BackendEntry(**SOUND)
    register_backend(entry)
    yield entry
    del BACKEND_ENTRIES["mine"]


@pytest.mark.parametrize("entry", BACKEND_ENTRIES.values(), ids=lambda entry: entry.name)
def test_each_entry_has_a_class_with_all_that_is_asked_of_it(entry):
    if not entry.installed:
        pytest.skip(f"{entry.title} is not installed")
    made = entry.load()
    members = ["logits", *(["stream"] if entry.streams else [])]
    members += ["quantise"] if "int8" in entry.precisions else []
    for member in members:
        assert hasattr(made, member), (
            f"{entry.maker} lacks the method {member}: see Backend, Streaming and Quantisable in "
            "inference/backends/backend.py, or change the entry in table.py."
        )


def test_a_backend_from_outside_predicts(make_model, mine):
    assert "mine" in backend_choices()
    image = Image(np.random.default_rng(0).random((40, 50), np.float32), "YX")
    out = np.zeros((3, 40, 50), np.float32)
    config = InferenceConfig(device="cpu", backend="mine")
    model = make_model()
    stages = {step.stage for step in predict_steps(image, model, out, config)}
    assert stages == {"predicting (mine on cpu, one tile)"}
    assert Mine.made == (False, "cpu", "auto")
    seen = model.normalisation.apply(image.read(), model.normalisation.measure(image))
    expected = np.broadcast_to(1 / (1 + np.exp(-seen)), out.shape)
    np.testing.assert_allclose(out, expected, atol=1e-6)


def test_a_number_format_that_a_backend_lacks_is_refused(make_model, mine):
    config = InferenceConfig(device="cpu", backend="mine", precision="bf16")
    with pytest.raises(SettingsError, match="Mine computes in fp32 here, not in bf16"):
        make_plan(PreparedModel.of(make_model()), (20, 20), config)
    with pytest.raises(SettingsError, match="int8"):
        InferenceConfig(backend="mine", precision="int8")


def test_a_name_is_given_once(mine):
    with pytest.raises(ValueError, match="'mine': choose another name"):
        register_backend(mine)


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"maker": "somewhere.Mine"}, "write module:class"),
        ({"precisions": ("fp32",)}, "add it to precisions"),
        ({"packages": ("somewhere",)}, "give the command"),
    ],
)
def test_what_an_entry_lacks_is_said_when_it_is_written(change, remedy):
    with pytest.raises(ValueError, match=remedy):
        BackendEntry(**{**SOUND, **change})


def test_a_package_that_is_missing_is_named_with_the_remedy():
    entry = BackendEntry(**SOUND, packages=("no_such_package",), install="pip install something")
    with pytest.raises(ResourceError, match=r"Mine is not installed.*pip install something"):
        entry.load()


def test_the_settings_know_the_backends_without_torch():
    code = (
        "import sys; from unet_napari.inference import InferenceConfig;"
        "InferenceConfig(backend='openvino'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
