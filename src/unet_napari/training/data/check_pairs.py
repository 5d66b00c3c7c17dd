"""Checks of images and their labels that need not read an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unet_napari.errors import ImageError, LabelsError, warn_user
from unet_napari.labels.label_blocks import tally
from unet_napari.labels.painting import check_labels
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.data.pairs import spacing_of

if TYPE_CHECKING:
    from unet_napari.images import Image
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.pairs import Pair

__all__ = ["check_added", "check_pairs"]

_UNLIKE_SHARE = 0.25  # share by which pixel sizes may differ, as at prediction


def check_pairs(pairs: Sequence[Pair], config: TrainConfig) -> None:
    """Check pairs as far as that is possible before an image is read.

    Raises
    ------
    ImageError, LabelsError
        If images and labels do not fit each other, the network's axes or the task, or the images
        differ in their number of channels.

    Warns
    -----
    UnetNapariWarning
        Of what is likely not meant: `Painting.problem`, images of unlike pixel size.
    """
    if not pairs:
        raise LabelsError("There is nothing to train on: give at least one image with its labels.")
    first = pairs[0].image
    for pair in pairs:
        _check_image(pair.image, first, config)
    _compare_pixel_sizes([pair.image for pair in pairs])
    _check_paint(pairs, config)


def check_added(pair: Pair, first: Image, config: TrainConfig) -> None:
    """Check a pair that joins a running training; nothing need be painted on it yet.

    Parameters
    ----------
    pair
        The pair.
    first
        An image of the training.
    config
        The settings of the training.

    Raises
    ------
    ImageError, LabelsError
        If it does not fit the training.
    """
    _check_image(pair.image, first, config)
    shape = tuple(pair.labels.shape)
    if shape != pair.shape:
        raise LabelsError(
            f"The labels of {pair.image.name} have the shape {shape}, but the image has "
            f"{pair.shape}: choose the labels that belong to this image."
        )


def _check_image(image: Image, first: Image, config: TrainConfig) -> None:
    if image.ndim < config.ndim:
        raise ImageError(
            f"{image.name} is a {image.ndim}D image, but the network is "
            f"{config.ndim}D: choose a {image.ndim}D network, or open a stack."
        )
    if image.channels != first.channels:
        raise ImageError(
            f"{first.name} has {first.channels} channel(s), but {image.name} has "
            f"{image.channels}: train on images of one kind."
        )


def _compare_pixel_sizes(images: Sequence[Image]) -> None:
    """Warn of images in which the same cell is much larger than in others."""
    for axis in "XYZ":
        known = [
            image for image in images if axis in image.spatial_axes and axis in image.pixel_size
        ]
        if not known:
            continue
        finest = min(known, key=lambda image: image.pixel_size[axis])
        coarsest = max(known, key=lambda image: image.pixel_size[axis])
        factor = coarsest.pixel_size[axis] / finest.pixel_size[axis]
        if factor > 1 + _UNLIKE_SHARE:
            warn_user(
                f"The images have unlike pixel sizes along {axis}: "
                f"{finest.pixel_size[axis]:.4g} µm in {finest.name}, "
                f"{coarsest.pixel_size[axis]:.4g} µm in {coarsest.name}. The same cell is "
                f"{factor:.3g} times as large in one as in the other, and the model learns both as "
                "if they were alike: train on images of one pixel size, or bring them to one.",
                stacklevel=4,
            )
            return


def _check_paint(pairs: Sequence[Pair], config: TrainConfig) -> None:
    """Check what was painted; an image may lack what others have."""
    ids: set[int] = set()
    lacking: LabelsError | None = None
    for pair in pairs:
        try:
            painting = check_labels(
                pair.labels,
                pair.shape,
                task=config.task,
                unpainted=config.unpainted,
                annotated=pair.annotated,
                ndim=config.ndim,
                spacing=spacing_of(pair.image, config.ndim),
            )
        except LabelsError as error:
            found = _plain_ids(pair)
            if len(pairs) == 1 or found is None:
                raise
            lacking = error
            ids.update(found)
            continue
        ids.update(painting.ids)
        if painting.problem:
            warn_user(f"{pair.image.name}: {painting.problem}", stacklevel=4)
    if lacking is not None and len(ids) < task_kind(config.task).fewest_ids:
        raise lacking


def _plain_ids(pair: Pair) -> set[int] | None:
    """Return the painted ids if the labels have the right shape and hold nothing but ids."""
    if tuple(pair.labels.shape) != pair.shape:
        return None
    try:
        return set(tally(pair.labels).painted)
    except LabelsError:
        return None
