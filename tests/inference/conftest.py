"""Small models with all kinds of networks, and what they predict without tiles."""

import numpy as np
import pytest
import torch

from bright_objects import Brightness
from unet_napari.images import Normalisation
from unet_napari.inference.planning import plan
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask


def _make_model(name="unet", *, seed=0, **options):
    torch.manual_seed(seed)
    options = {"in_channels": 1, "out_channels": 3, "features": (4, 6, 8), **options}
    network = build_network(name, options)
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            # Statistics as after training: those of a fresh network would do nothing.
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return Model(network.eval(), CellsTask(), Normalisation())


def _whole(model, image):
    """Return what the plain network says of the whole image at once, (K, *S)."""
    pixels = model.normalisation.apply(image.read(), model.normalisation.measure(image))
    margins = [(0, 0), *((m, m) for m in model.network.margin)]
    batch = torch.from_numpy(np.pad(pixels, margins, mode="reflect"))[None]
    with torch.inference_mode():
        return model.task.activate(model.network(batch))[0].numpy()


@pytest.fixture(scope="session")
def make_model():
    """Return a function that makes an untrained model: ``make_model(name, **options)``."""
    return _make_model


@pytest.fixture(scope="session")
def whole():
    """Return a function that predicts an image without tiles: ``whole(model, image)``."""
    return _whole


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def _toy_memory():
    """Plan for the features alone: beside them the kernels of these small networks are huge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_KERNEL_BYTES", 0)
        yield


@pytest.fixture
def bright():
    """Return a function that makes a model of `Brightness`."""

    def make(ndim=2, **changes):
        task = CellsTask(min_size=4, **changes)
        return Model(Brightness(ndim), task, Normalisation(low=0, high=100, noise=0))

    return make
