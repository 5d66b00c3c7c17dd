"""Where the gates of an attention U-Net look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.errors import ImageError, ResourceError, SettingsError
from unet_napari.inference.backends.device_choice import choose_device
from unet_napari.inference.views import check_image, find_scale
from unet_napari.networks.attention import AttentionGate, AttentionUNet
from unet_napari.system.device import is_out_of_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.model.model import Model

__all__ = ["attention_names", "gate_maps"]


def attention_names(model: Model) -> tuple[str, ...]:
    """Return what the maps of `gate_maps` are called, finest level first.

    Raises
    ------
    SettingsError
        If the network of the model has no attention gates.
    """
    levels = sum(isinstance(module, AttentionGate) for module in _network(model).modules())
    return tuple(f"attention, level {level}" for level in range(1, levels + 1))


def gate_maps(
    image: Image,
    model: Model,
    config: InferenceConfig,
    *,
    statistics: Statistics | None = None,
) -> NDArray[np.float32]:
    """Return how much of each skip connection the gates of an attention U-Net let through.

    The whole image goes through the network at once, so it must not be large. Oktay et al. 2018,
    arXiv:1804.03999.

    Parameters
    ----------
    image : Image
        Image of one time point with the spatial axes of the network.
    model : Model
        Model whose network is an attention U-Net.
    config : InferenceConfig
        Settings, of which the device counts.
    statistics : Statistics, optional
        Brightness of the whole of which the image is a part, see `find_scale`. By default it is
        measured on the image.

    Returns
    -------
    ndarray of float32, shape (levels, *image.shape)
        Weights of the gates, from 0 (shut) to 1 (open), finest level first.

    Raises
    ------
    ImageError
        If the image does not suit the model.
    ResourceError
        If memory does not suffice for the whole image at once.
    SettingsError
        If the network has no attention gates.
    """
    network = _network(model)
    check_image(image, model, config)
    if image.ndim != model.ndim or image.frames > 1:
        raise ImageError(
            f"Attention maps are made of one image at a time, but {image.name} is a series: "
            "choose a slice and a time point of it, or leave them out."
        )
    device = choose_device(config.device, model.ndim)
    scale = find_scale(image, model, statistics)
    pixels = model.normalisation.apply(image.read(), scale.whole)
    try:
        maps = network.to(device).attention_maps(torch.from_numpy(pixels[np.newaxis]).to(device))
        return np.stack([gate[0, 0].cpu().numpy() for gate in maps])
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            f"Memory does not suffice for the attention maps of {image.name} as a whole: choose a "
            "part of it."
        ) from error
    finally:
        network.cpu()


def _network(model: Model) -> AttentionUNet:
    if not isinstance(model.network, AttentionUNet):
        raise SettingsError(
            f"'{model.name}' has no attention gates to show: its network is "
            f"'{model.network.name}', not 'attention_unet'."
        )
    return model.network
