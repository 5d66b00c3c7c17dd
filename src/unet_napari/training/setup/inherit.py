"""The weights of one network in another that differs in its last layer at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from unet_napari.networks.base import Network

__all__ = ["fitting_weights", "inherit_weights"]


def inherit_weights(network: Network, old: Network) -> None:
    """Give a network the weights of another, with other classes all but the last layer."""
    network.load_state_dict({**network.state_dict(), **fitting_weights(network, old)})


def fitting_weights(network: Network, old: Network) -> dict[str, Tensor]:
    """Return the weights of a network that fit into another."""
    fresh = network.state_dict()
    return {k: v for k, v in old.state_dict().items() if v.shape == fresh[k].shape}
