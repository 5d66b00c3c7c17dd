"""Pictures of what training sees: thumbnails, and sheets of augmented patches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.geometry import Box
from unet_napari.images import Normalisation
from unet_napari.images.thumbnail import overlay
from unet_napari.system.device import available_memory, is_out_of_memory
from unet_napari.training.data.augment import Augmenter
from unet_napari.training.data.load import load_samples
from unet_napari.training.data.pairs import reference_image, spacing_of
from unet_napari.training.data.patches import PatchSampler
from unet_napari.training.tiling import predict_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.model.model import Model
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.pairs import Pair
    from unet_napari.training.data.sample import Sample

__all__ = ["augmented_examples", "picture_of", "sheet", "thumbnail"]

_PATCH = {2: (192, 192), 3: (16, 128, 128)}  # size of the patches where none is given
_LARGEST_SIDE = 256  # pixels of a thumbnail's longer side
_THUMBNAIL = {2: (256, 256), 3: (8, 192, 192)}  # pixels that are predicted for one
_CPU = torch.device("cpu")
_RIM = 2  # pixels between the pictures of a sheet


def augmented_examples(
    pairs: Sequence[Pair], config: TrainConfig, count: int = 16
) -> NDArray[np.uint8]:
    """Draw augmented patches as training would see them, their labels as an overlay.

    Parameters
    ----------
    pairs
        Images and labels.
    config
        Task, axes, patch, augmentation and seed.
    count
        Number of patches.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
        The patches side by side; of a stack the middle slice is shown. Pixels that say nothing
        are darkened.
    """
    pairs = [pair.with_background(config.background_id) for pair in pairs]
    samples = load_samples(pairs, config, Normalisation(), available_memory(_CPU) // 4)
    rng = np.random.default_rng(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    patch = config.patch or tuple(
        max(8, min(size, *(s.labels.shape[axis] for s in samples)))
        for axis, size in enumerate(_PATCH[config.ndim])
    )
    spacing = spacing_of(reference_image(pairs, config.ndim), config.ndim)
    augmenter = Augmenter(config.augment, patch, spacing, rng, generator)
    sampler = PatchSampler(samples, config.task, augmenter, rng, _CPU)
    image, labels, annotated = (part.numpy() for part in sampler.draw(count))
    return sheet([picture_of(*parts) for parts in zip(image, labels, annotated, strict=True)])


def picture_of(
    image: NDArray[np.float32],
    labels: NDArray[np.integer],
    annotated: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Draw labels over an image: the first channel, the middle slice, at most 256 pixels.

    Parameters
    ----------
    image
        The image, shape (C, *S).
    labels
        The labels, shape (*S).
    annotated
        Mask of the pixels that say something, shape (*S); the others are darkened.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    said = np.ones(labels.shape, bool) if annotated is None else annotated
    step = math.ceil(max(labels.shape[-2:]) / _LARGEST_SIDE)
    middle = tuple(size // 2 for size in labels.shape[:-2])
    place = (*middle, slice(None, None, step), slice(None, None, step))
    picture = overlay(image[0][place], labels[place])
    return np.where(said[place][..., None], picture, picture // 2)


def thumbnail(model: Model, sample: Sample, most: int) -> NDArray[np.uint8] | None:
    """Return a small picture of what a model on the CPU predicts in the middle of a sample.

    At most so many pixels are predicted at once. It returns None if memory does not suffice.
    """
    middle = Box.from_spans(
        ((size - min(size, side)) // 2, (size + min(size, side)) // 2)
        for size, side in zip(sample.labels.shape, _THUMBNAIL[model.ndim], strict=True)
    )
    part = sample.crop(middle)
    halo = [2 * stride for stride in model.network.stride]
    try:
        maps = predict_sample(model.network, model.task, part, _CPU, halo=halo, most=most)
        return picture_of(part.image, model.task.decode(maps))
    except Exception as error:
        if is_out_of_memory(error):  # a model without a picture is better than none
            return None
        raise


def sheet(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Lay equally large pictures side by side, in about a square."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0].shape[:2]
    result = np.zeros((rows * (height + _RIM) - _RIM, columns * (width + _RIM) - _RIM, 3), np.uint8)
    for number, picture in enumerate(pictures):
        top = (number // columns) * (height + _RIM)
        left = (number % columns) * (width + _RIM)
        result[top : top + height, left : left + width] = picture
    return result
