"""Networks by name and options, as model files and settings hold them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from unet_napari.errors import SettingsError
from unet_napari.networks.base import Network
from unet_napari.networks.catalogue import CATALOGUE
from unet_napari.registry import load_object

__all__ = ["MAX_PARAMETERS", "build_network", "network_class"]

_REDUCTION = "reduction"
MAX_PARAMETERS = 500_000_000  # 2 GB of weights; the largest preset in 3D has 372 million


def network_class(name: object) -> type[Network]:
    """Return the class of a network by its name in `CATALOGUE`.

    Raises
    ------
    SettingsError
        If there is no such network.
    """
    entry = CATALOGUE.find(name)
    found: type[Network] = load_object(entry.implementation, f"the network {entry.name!r}")
    return found


def build_network(
    name: str, options: Mapping[str, Any], *, pretrained: bool | str | Path = False
) -> Network:
    """Make a network from its name and options.

    Both may come out of a model file that somebody sent: they are checked, and the size of the
    network is found without allocating it.

    Parameters
    ----------
    name : str
        A name in `CATALOGUE`.
    options : mapping
        Arguments of that network's constructor, and ``reduction``, which every network has, see
        `Network.coarsen`. ``pretrained`` is not accepted here: a model file shall not make us
        download or read anything.
    pretrained : bool or path
        Start from ImageNet weights, downloaded or from a file; only for networks that
        `CATALOGUE` calls ``pretrained``.

    Returns
    -------
    Network
        The network on the CPU, in training mode, with weights drawn from torch's generator.

    Raises
    ------
    SettingsError
        If the name or an option is unknown or out of range, or the network is too large.
    """
    kind = network_class(name)
    known = [option for option in inspect.signature(kind).parameters if option != "pretrained"]
    known.append(_REDUCTION)
    if not isinstance(options, Mapping):
        raise SettingsError(f"The options of {name} must be names with values.")
    unknown = [str(option)[:60] for option in options if option not in known]
    if unknown:
        raise SettingsError(
            f"The network {name} has no option {unknown[0]!r}; it has {', '.join(known)}."
        )
    plain = {key: value for key, value in options.items() if key != _REDUCTION}
    with torch.device("meta"):
        size = kind(**plain).parameter_count
    if size > MAX_PARAMETERS:
        raise SettingsError(
            f"This {name} would have {size:,} weights; at most {MAX_PARAMETERS:,} are possible. "
            "Give it fewer features or levels."
        )
    if pretrained is False:
        network = kind(**plain)
    elif CATALOGUE[name].pretrained:
        make: Callable[..., Network] = kind
        network = make(**plain, pretrained=pretrained)
    else:
        able = ", ".join(entry.name for entry in CATALOGUE.values() if entry.pretrained)
        raise SettingsError(f"There are no pretrained weights for {name}; only for {able}.")
    if _REDUCTION in options:
        network.coarsen(_factors(options[_REDUCTION], network.ndim))
    return network


def _factors(value: object, ndim: int) -> Sequence[int]:
    """Return one number for each axis; `Network.coarsen` says what is wrong with them."""
    if isinstance(value, list | tuple):
        return value
    return (value,) * ndim  # type: ignore[return-value]
