"""Parts of an image, read into memory: a slice, what is in view, the slices around."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet_napari._napari.layers import Place
from unet_napari.images import Image

__all__ = ["DEPTH", "cut_out", "middle"]

DEPTH = 8  # slices above and below the wanted one that a 3D network is shown


def cut_out(image: Image, place: Place, depth: int) -> Image:
    """Read a part of an image, with `depth` slices above and below where that is not 0.

    At the ends of the stack the first or last slice is repeated, so that the wanted one stays
    in the middle.
    """
    index: dict[str, Any] = {**place.region, **place.index}
    axes = image.axes
    if depth:
        around = np.arange(place.index["Z"] - depth, place.index["Z"] + depth + 1)
        around = np.clip(around, 0, image.data.shape[axes.index("Z")] - 1)
        slices = [
            cut_out(image, Place({**place.index, "Z": int(z)}, place.region), 0) for z in around
        ]
        return Image(
            np.stack([np.asarray(part.data) for part in slices]),
            "Z" + slices[0].axes,
            image.pixel_size,
        )
    pixels = np.asarray(image.data[tuple(index.get(letter, slice(None)) for letter in axes)])
    kept = "".join(letter for letter in axes if letter not in place.index)
    size = {letter: image.pixel_size[letter] for letter in image.pixel_size if letter in kept}
    return Image(pixels, kept, size, image.name)


def middle(labels: NDArray[Any]) -> NDArray[Any]:
    """Return the wanted slice of the result for a part with slices above and below."""
    return labels[..., labels.shape[-3] // 2, :, :]


def time_in_place(values: NDArray[Any], axes: str) -> NDArray[Any]:
    """Put the time axis, which the engine has in front, where the image has it."""
    letters = axes.replace("C", "")
    return np.moveaxis(values, 0, letters.index("T")) if "T" in letters else values
