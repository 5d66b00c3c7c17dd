"""An image as the model wants it: a list of views with the spatial axes of the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.defaults import unfamiliar_pixels
from unet_napari.errors import ImageError, SettingsError, warn_user
from unet_napari.images import Scale, measure_scale
from unet_napari.labels.label_axes import labels_axes, labels_shape

if TYPE_CHECKING:
    from unet_napari.images import Image, Statistics
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.model.model import Model

__all__ = [
    "LARGEST_FACTOR",
    "View",
    "check_image",
    "find_scale",
    "rescale_factors",
    "result_axes",
    "result_shape",
    "split_views",
]

LARGEST_FACTOR = 16
"""An image that is to be scaled by more was given a wrong diameter."""


@dataclass(frozen=True)
class View:
    """A part of an image with exactly the spatial axes of the network.

    Attributes
    ----------
    image : Image
        The view, nothing read yet.
    index : tuple of int
        Its position along the leading axes of the result (T, then Z for a 2D model on a stack).
    """

    image: Image
    index: tuple[int, ...]

    def emptied(self) -> View:
        """Return the view of an image of the same shape that takes no memory."""
        nothing = np.broadcast_to(np.zeros((), np.uint8), self.image.data.shape)
        return View(replace(self.image, data=nothing), self.index)


def result_shape(image: Image) -> tuple[int, ...]:
    """Return the shape of the labels of an image: its spatial axes, after T if there is a T."""
    return labels_shape(image)


def result_axes(image: Image) -> str:
    """Return the axes of the labels of an image, such as ``TZYX``; see `result_shape`."""
    return labels_axes(image)


def split_views(image: Image, ndim: int) -> list[View]:
    """Return the views of an image for a network with `ndim` spatial axes, in order.

    Parameters
    ----------
    image : Image
        2D or 3D, with or without time.
    ndim : int
        Number of spatial axes, which `check_image` has found possible.
    """
    axes = {}
    if image.frames > 1:
        axes["T"] = image.frames
    if image.ndim > ndim:
        axes["Z"] = image.shape[0]
    return [
        View(image.select(**dict(zip(axes, index, strict=True))), index)
        for index in product(*(range(size) for size in axes.values()))
    ]


def check_image(image: Image, model: Model, config: InferenceConfig) -> None:
    """Refuse an image that the model cannot segment.

    Raises
    ------
    ImageError
        Naming what the image has and what the model needs.

    Warns
    -----
    UnetNapariWarning
        If the pixel size differs much from that of the training images.
    """
    if image.channels != model.channels:
        raise ImageError(
            f"The image {image.name!r} has {_count(image.channels, 'channel')}, but the model "
            f"{model.name!r} was trained on {_count(model.channels, 'channel')}. Choose "
            f"{_count(model.channels, 'channel')} of the image (--channel; in Python by an index; "
            "in napari with Split RGB or Split Stack of the layer's menu), or another model."
        )
    if image.ndim < model.ndim:
        raise ImageError(
            f"The image {image.name!r} is 2D, but the model {model.name!r} is 3D and needs a "
            "stack with a Z axis. Choose a 2D model."
        )
    axes = image.spatial_axes[-model.ndim :]
    factor = unfamiliar_pixels(image.pixel_size, model.pixel_size, axes)
    if factor is not None and not config.scales:
        warn_user(
            f"The pixels of {image.name!r} are {factor:.3g} times as large as those the model "
            f"{model.name!r} was trained on. If the result is poor, let the image be rescaled.",
            stacklevel=3,
        )


def find_scale(image: Image, model: Model, statistics: Statistics | None) -> Scale:
    """Return the brightness scale of an image: the one that is given, or else its own.

    Parameters
    ----------
    image : Image
        What is predicted.
    model : Model
        The model, whose rule says what is measured.
    statistics : Statistics or None
        Statistics of the whole of which the image is a part: measured on a part alone, a dim
        corner would be as bright as the rest. None if the image is whole.

    Raises
    ------
    ImageError
        See `unet_napari.images.measure_scale`.
    """
    if statistics is None:
        return measure_scale(model.normalisation, image)
    return Scale(model.normalisation, image, statistics)


def rescale_factors(image: Image, model: Model, diameter: float | None = None) -> tuple[float, ...]:
    """Return by what the image is to be enlarged, per axis of the network.

    Parameters
    ----------
    image, model
        Known pixel sizes are compared.
    diameter
        Diameter of the image's objects, in its smallest pixels. With it, objects are brought to the
        diameter that the model knows, and pixel sizes only say how the axes differ; without it,
        the factors are the image's pixel size over the model's.

    Returns
    -------
    tuple of float
        1 along axes about which nothing is known.

    Raises
    ------
    SettingsError
        If there is a diameter, but the model does not know one, or a very different one.
    """
    axes = image.spatial_axes[-model.ndim :]
    sizes = _size_ratios(image, model, axes)
    if diameter is None:
        return sizes
    if model.diameter is None:
        raise SettingsError(
            f"The model {model.name!r} does not know how large the objects were that it was "
            "trained on: leave the diameter out, or train it again."
        )
    scale = model.diameter / diameter
    if not 1 / LARGEST_FACTOR <= scale <= LARGEST_FACTOR:
        raise SettingsError(
            f"With objects of {diameter:.4g} pixels the image would be made {scale:.3g} times as "
            f"large, as the model {model.name!r} knows objects of {model.diameter:.4g}: check "
            "the diameter."
        )
    if all(axis in image.pixel_size and axis in model.pixel_size for axis in axes):
        smallest = min(image.pixel_size[axis] for axis in axes)
        scale *= min(model.pixel_size[axis] for axis in axes) / smallest
        return tuple(scale * size for size in sizes)
    return (scale,) * len(axes)


def _size_ratios(image: Image, model: Model, axes: str) -> tuple[float, ...]:
    return tuple(
        image.pixel_size[axis] / model.pixel_size[axis]
        if axis in image.pixel_size and axis in model.pixel_size
        else 1.0
        for axis in axes
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
