"""Pictures of predicted labels beside the true ones, so that one can look at the worst images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.images.thumbnail import grey, overlay

if TYPE_CHECKING:
    from numpy.typing import NDArray

    RGB = NDArray[np.uint8]

__all__ = ["compare", "draw_caption", "lay_out"]

# Longest side of one picture, distance between pictures, and height of letters, in pixels.
_PICTURE_SIDE = 320
_GAP_WIDTH = 4
_TEXT_HEIGHT = 13


def compare(
    image: NDArray[np.generic],
    true: NDArray[np.integer],
    predicted: NDArray[np.integer],
    caption: str,
) -> RGB:
    """Draw an image, its true and its predicted labels side by side, under a caption.

    Parameters
    ----------
    image
        The image, shape (C, *S). The mean of its channels is shown; of a stack, the slice with the
        most pixels that are labelled in either of the two.
    true, predicted
        Integer labels, shape (*S).
    caption
        Text of one line.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    place = _fullest_slice(true, predicted)
    step = math.ceil(max(true.shape[-2:]) / _PICTURE_SIDE)
    thin = (..., slice(None, None, step), slice(None, None, step))
    plane = image.astype(np.float32).mean(axis=0)[place][thin]
    bare = np.repeat(grey(plane)[..., None], 3, axis=-1)
    pictures = [bare, *(overlay(plane, labels[place][thin]) for labels in (true, predicted))]
    gap = np.zeros((bare.shape[0], _GAP_WIDTH, 3), np.uint8)
    row = np.concatenate([pictures[0], gap, pictures[1], gap, pictures[2]], axis=1)
    return lay_out([draw_caption(caption, row.shape[1]), row])


def lay_out(rows: Sequence[RGB]) -> RGB:
    """Lay pictures below each other, on black."""
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, _GAP_WIDTH), (0, width - row.shape[1]), (0, 0))) for row in rows]
    return np.concatenate(padded)[:-_GAP_WIDTH]


def _fullest_slice(true: NDArray[np.integer], predicted: NDArray[np.integer]) -> tuple[int, ...]:
    """Return the place of the slice with the most pixels that are labelled in either of the two."""
    leading = true.ndim - 2
    labelled = np.count_nonzero((true > 0) | (predicted > 0), axis=(-2, -1))
    return tuple(int(i) for i in np.unravel_index(labelled.argmax(), true.shape[:leading]))


def draw_caption(text: str, width: int) -> RGB:
    """Draw a line of white letters on black, at least `width` pixels wide, ``(Y, X, 3)``."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_TEXT_HEIGHT)
    size = (max(width, math.ceil(font.getlength(text))), 2 * _TEXT_HEIGHT - _GAP_WIDTH)
    canvas = Image.new("RGB", size)
    ImageDraw.Draw(canvas).text((0, 0), text, font=font, fill="white")
    return np.asarray(canvas)
