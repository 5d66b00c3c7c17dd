"""Small pictures for thumbnails, the demo and the evaluation sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unet_napari.system.atomic import open_atomic

__all__ = ["grey", "label_colours", "overlay", "write_png"]

_GOLDEN_RATIO = 0.618033988749895


def grey(image: ArrayLike, *, low: float = 1.0, high: float = 99.8) -> NDArray[np.uint8]:
    """Stretch one plane between two of its percentiles.

    Parameters
    ----------
    image : array_like, shape (Y, X)
        Any real dtype; values that are not finite count as the smallest finite one.
    low, high : float
        Percentiles (0 to 100) that become black and white.

    Returns
    -------
    ndarray of uint8, shape (Y, X)
    """
    plane = np.asarray(image, dtype=np.float32)
    finite = np.isfinite(plane)
    if not finite.any():
        return np.zeros(plane.shape, np.uint8)
    bottom, top = np.percentile(plane[finite], [low, high])
    plane = np.where(finite, plane, bottom)
    scaled = (plane - bottom) / max(float(top - bottom), 1e-12)
    return np.asarray(np.clip(scaled, 0, 1) * 255, np.uint8)


def label_colours(labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Give each label a hue far from its neighbours' numbers (golden-ratio steps).

    Parameters
    ----------
    labels : ndarray of int, any shape

    Returns
    -------
    ndarray of float32, shape (*labels.shape, 3), 0 to 1
    """
    hue = (labels.astype(np.float64) * _GOLDEN_RATIO) % 1.0
    distance = np.abs((hue[..., None] * 6 - np.array([0, 2, 4]) + 3) % 6 - 3)
    return np.asarray(np.clip(2 - distance, 0, 1), np.float32)


def overlay(
    image: ArrayLike, labels: NDArray[np.integer], *, opacity: float = 0.25
) -> NDArray[np.uint8]:
    """Draw labels over a plane: a tint inside, the full colour along the outlines.

    Parameters
    ----------
    image : array_like, shape (Y, X)
    labels : ndarray of int, shape (Y, X)
        Labels; where they are 0, the plane is left as it is.
    opacity : float
        Opacity of the tint, 0 to 1.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    from skimage.segmentation import find_boundaries

    labels = np.asarray(labels)
    base = np.repeat(grey(image)[..., None], 3, axis=-1).astype(np.float32) / 255
    colour = label_colours(labels)
    outline = find_boundaries(labels, mode="inner")  # type: ignore[no-untyped-call]
    strength = np.where(outline, 1.0, np.where(labels > 0, opacity, 0.0))[..., None]
    return np.asarray((base * (1 - strength) + colour * strength) * 255, np.uint8)


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, whole or not at all.

    Parameters
    ----------
    path : Path
        Path of the file, which is replaced if it exists.
    picture : ndarray of uint8, shape (Y, X) or (Y, X, 3)

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from imagecodecs import png_encode

    with open_atomic(path) as file:
        file.write(png_encode(picture))
