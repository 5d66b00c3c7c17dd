"""Weights in half precision: half the size, nearly the same numbers, nothing lost silently."""

import re

import pytest
import torch

from unet_napari.errors import ModelFileError, OutputError
from unet_napari.images import Normalisation
from unet_napari.model.file import open_model_file, write_model_file
from unet_napari.model.info import read_storage
from unet_napari.model.model import Model
from unet_napari.networks import UNet
from unet_napari.tasks import CellsTask


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = UNet(in_channels=1, out_channels=3, features=(16, 32), ndim=2)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.fill_(1e-9)  # a dark channel: 0 in float16
    return Model(network.eval(), CellsTask(), Normalisation())


def test_half_precision_halves_the_file_and_keeps_the_numbers(model, tmp_path):
    full, half = model.save(tmp_path / "full.unet"), model.save(tmp_path / "half.unet", half=True)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    assert read_storage(full).precision == "fp32"
    assert read_storage(half).precision == "fp16"
    again = Model.load(half)
    assert again.info == model.info
    for name, tensor in model.network.state_dict().items():
        found = again.network.state_dict()[name]
        assert found.dtype == tensor.dtype
        exact = tensor.ndim < 2
        torch.testing.assert_close(
            found, tensor, atol=0 if exact else 1e-6, rtol=0 if exact else 1e-3
        )


def test_saving_in_half_precision_again_changes_nothing_more(model, tmp_path):
    once = model.save(tmp_path / "once.unet", half=True)
    twice = Model.load(once).save(tmp_path / "twice.unet", half=True)
    assert once.read_bytes() == twice.read_bytes()


@pytest.mark.parametrize("value", [7e4, -1e30])
def test_a_weight_beyond_half_precision_is_named(model, tmp_path, value):
    name, tensor = next((n, t) for n, t in model.network.named_parameters() if t.ndim > 1)
    tensor.data.view(-1)[3] = value
    with pytest.raises(OutputError, match=re.escape(f"'{name}' reach {abs(value):.3g},")):
        model.save(tmp_path / "half.unet", half=True)
    assert list(tmp_path.iterdir()) == []
    Model.load(model.save(tmp_path / "full.unet"))


def test_half_precision_of_what_counts_batches_is_refused(model, tmp_path):
    path = model.save(tmp_path / "a.unet")
    with open_model_file(path) as file:
        description, weights = file.description(), file.weights()
    name = next(key for key in weights if key.endswith("num_batches_tracked"))
    write_model_file(path, description, weights | {name: weights[name].astype("float16")})
    with pytest.raises(ModelFileError, match=rf"{name} F16 \[\] instead of I64 \[\]"):
        Model.load(path)
