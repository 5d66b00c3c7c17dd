import numpy as np
import pytest
import torch

from unet_napari import attention_maps
from unet_napari.errors import ImageError
from unet_napari.images import Image, Normalisation
from unet_napari.inference import InferenceConfig
from unet_napari.inference.attention_maps import attention_names, gate_maps
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import make_task


@pytest.fixture(params=[2, 3])
def model(request):
    torch.manual_seed(0)
    options = {"ndim": request.param, "features": [4, 8, 8], "out_channels": 3}
    network = build_network("attention_unet", options).eval()
    return Model(network, make_task({"name": "cells"}), Normalisation(), name="gates")


def test_they_are_the_gates_of_the_network(model):
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(11, 21, 30)[3 - model.ndim :]).astype(np.float32)
    image = Image(pixels, "ZYX"[3 - model.ndim :])
    found = attention_maps(pixels, model, axes=image.axes)
    rule = model.normalisation
    x = torch.from_numpy(rule.apply(image.read(), rule.measure(image))[np.newaxis])
    expected = model.network.attention_maps(x)
    assert len(expected) == len(attention_names(model)) == 2
    assert found.shape == (2, *pixels.shape)
    np.testing.assert_array_equal(found, np.stack([gate[0, 0].numpy() for gate in expected]))
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.std() > 0


def test_a_time_series_is_refused(model):
    image = (
        Image(np.zeros((2, 8, 16, 16)), "TZYX")
        if model.ndim == 3
        else Image(np.zeros((2, 16, 16)), "TYX")
    )
    with pytest.raises(ImageError, match="slice and a time point"):
        gate_maps(image, model, InferenceConfig())
