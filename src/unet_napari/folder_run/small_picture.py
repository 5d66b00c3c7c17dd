"""A small picture of an image with the outlines of its objects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.images.thumbnail import overlay
from unet_napari.labels.label_axes import labels_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import Image, LazyArray

__all__ = ["small_picture"]

_LOOKED_AT = 16  # slices among which the one with the most objects is looked for


def small_picture(image: Image, labels: LazyArray, side: int) -> NDArray[np.uint8]:
    """Draw a plane of an image, made smaller, with the outlines of its objects.

    Of a stack or film it is the plane with the most labelled pixels among some, spread evenly; of
    several channels the mean.

    Parameters
    ----------
    image : Image
        The image.
    labels : array-like of int
        Its labels, ``([T,] *S)``.
    side : int
        Length of the longer side, in pixels, at most.

    Returns
    -------
    uint8 ``(Y, X, 3)``
    """
    own = labels_on(image, labels)
    step = math.ceil(max(image.shape[-2:]) / side)
    thin = (slice(None, None, step),) * 2
    counts = tuple(labels.shape[:-2])
    places = _spread(counts)
    planes = (np.asarray(labels[*place, :, :])[thin] for place in places)
    best, place = max(
        ((plane, place) for plane, place in zip(planes, places, strict=True)),
        key=lambda pair: np.count_nonzero(pair[0]),
    )
    index = dict(zip(own.axes, place, strict=False))
    frame = image.select(T=index["T"]) if "T" in index else image
    slices = tuple(
        slice(index[axis], index[axis] + 1) if axis in index else slice(None)
        for axis in frame.spatial_axes
    )
    pixels = frame.read(slices).astype(np.float32)
    while pixels.ndim > 3:
        pixels = pixels[:, 0]
    return overlay(pixels.mean(axis=0)[thin], best)


def _spread(counts: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return some places along the leading axes, spread evenly."""
    total = math.prod(counts)
    numbers = np.unique(np.linspace(0, total - 1, min(total, _LOOKED_AT)).round().astype(int))
    places: Any = [np.unravel_index(number, counts) if counts else () for number in numbers]
    return [tuple(int(at) for at in place) for place in places]
