"""A network that is added outside the package: this one file is all that it takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from unet_napari import train
from unet_napari.errors import SettingsError
from unet_napari.model.model import Model
from unet_napari.networks import CATALOGUE, Network, build_network
from unet_napari.networks.catalogue import NetworkEntry


class PlainNet(Network):
    """Some convolutions, and no other resolution."""

    name = "plain_net"

    def __init__(
        self, in_channels: int = 1, out_channels: int = 1, width: int = 4, *, ndim: int = 2
    ) -> None:
        super().__init__(
            {"in_channels": in_channels, "out_channels": out_channels, "width": width}
            | {"ndim": ndim},
            ndim=ndim,
            in_channels=in_channels,
            out_channels=out_channels,
            stride=(1,) * ndim,
        )
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[ndim]
        self.layers = nn.Sequential(
            conv(in_channels, width, 3, padding=1), nn.ReLU(), conv(width, out_channels, 1)
        )

    def logits(self, x: Tensor) -> Tensor:
        """Compute the logits."""
        output: Tensor = self.layers(x)
        return output


@pytest.fixture(autouse=True)
def plain_net():
    """Add the network for the time of a test."""
    CATALOGUE.add(
        NetworkEntry("plain_net", "Plain net", "Small.", "nobody", f"{__name__}:PlainNet")
    )
    yield
    CATALOGUE.remove("plain_net")


def test_it_is_trained_saved_and_loaded(tmp_path):
    labels = np.zeros((48, 48), np.uint8)
    labels[8:20, 8:20], labels[28:40, 24:40] = 1, 2
    image = labels.astype(np.float32) + np.random.default_rng(0).normal(0, 0.1, labels.shape)
    model = train(
        image, labels, network="plain_net", network_options={"width": 3}, steps=2, patch=(16, 16)
    )
    loaded = Model.load(model.save(tmp_path / "plain.unet"))
    assert type(loaded.network) is PlainNet
    assert loaded.network.options["width"] == 3
    x = torch.ones(1, 1, 8, 8)
    torch.testing.assert_close(loaded.network(x), model.network(x), rtol=0, atol=0)


def test_its_options_are_checked_by_name():
    with pytest.raises(SettingsError, match=r"plain_net has no option 'depth'; it has .*width"):
        build_network("plain_net", {"depth": 3})
    with pytest.raises(SettingsError, match="no pretrained weights for plain_net; only for resnet"):
        build_network("plain_net", {}, pretrained=True)
