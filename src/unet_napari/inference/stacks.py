"""A stack on its way through a 2D network, whose outlines become objects in 3D."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.inference.running.reading import continued
from unet_napari.tasks.decoding.stack import StackScale

if TYPE_CHECKING:
    from unet_napari.images import Image
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.running.reading import Floats
    from unet_napari.model.model import Model


__all__ = ["smooth_along_z", "smoothed_stack", "stack_scale"]

# Diameter of the cells of a model that does not know it, in pixels.
_USUAL_DIAMETER = 20.0
# Standard deviation, as a share of the cells' diameter, over which noise is averaged, from one
# slice to the next; without it the network misses dim slices, see docs/guide/accuracy.md.
_SMOOTHING_LENGTH = 0.1
# Standard deviations within which is smoothed, and the smallest, in slices, that changes anything.
_TRUNCATION = 2.0
_LEAST_SIGMA = 0.25


def stack_scale(
    image: Image, model: Model, config: InferenceConfig, factors: tuple[float, ...] | None = None
) -> StackScale | None:
    """Return how large cells are in a stack; None where its slices are not joined.

    Parameters
    ----------
    image, model
        Image and model. Where a pixel size is unknown, slices count as far apart as pixels.
    config
        Settings, of which `slicewise` counts.
    factors
        By what each slice is enlarged before the network sees it, along Y and X; by default it is
        not.
    """
    if image.ndim == model.ndim or config.slicewise:
        return None
    sizes = [image.pixel_size.get(axis) for axis in image.spatial_axes]
    known = [size for size in sizes if size is not None]
    spacing = known[0] / math.sqrt(known[1] * known[2]) if len(known) == len(sizes) else 1.0
    spacing *= math.sqrt(math.prod(factors or (1.0,)))
    scale = StackScale(model.diameter or _USUAL_DIAMETER, spacing)
    return None if model.task.stack_decoder(scale) is None else scale


def smoothed_stack(image: Image, scale: StackScale | None) -> Image:
    """Return a stack as the network is to see its slices: with less noise from one to the next."""
    if scale is None:
        return image
    return smooth_along_z(image, scale.along(_SMOOTHING_LENGTH)[0])


def smooth_along_z(image: Image, sigma: float) -> Image:
    """Return an image smoothed along Z by a Gaussian of `sigma` slices; nothing is read yet."""
    if sigma < _LEAST_SIGMA:
        return image
    return replace(image, data=_SmoothedAlongZ(image, sigma))


class _SmoothedAlongZ:
    """The data of an image, smoothed along Z where it is read; NaN and infinity are left out.

    Beyond its first and last slice the image is mirrored.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, image: Image, sigma: float) -> None:
        self._data, self._axis = image.data, image.axes.index("Z")
        self.shape = tuple(image.data.shape)
        radius = int(_TRUNCATION * sigma + 0.5)
        bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        self._bell, self._radius = (bell / bell.sum()).astype(np.float32), radius

    @property
    def chunks(self) -> Any:  # noqa: ANN401  zarr and dask say it differently
        """The chunks of the file, for whoever reads them one by one."""
        return getattr(self._data, "chunks", None)

    def __getitem__(self, key: tuple[int | slice, ...], /) -> Floats:
        place, size = key[self._axis], self.shape[self._axis]
        if isinstance(place, slice):
            start, stop, _ = place.indices(size)
        else:
            start, stop = place, place + 1
        radius = self._radius
        planes = continued(start - radius, stop + radius, size, radius)
        first = int(planes.min())
        span = (*key[: self._axis], slice(first, int(planes.max()) + 1), *key[self._axis + 1 :])
        # Axes that an integer picks are not there any more.
        axis = sum(isinstance(part, slice) for part in key[: self._axis])
        pixels = np.moveaxis(np.asarray(self._data[span]).astype(np.float32), axis, 0)
        smooth = self._mean(pixels[planes - first], stop - start)
        return np.moveaxis(smooth, 0, axis) if isinstance(place, slice) else smooth[0]

    def _mean(self, pixels: Floats, count: int) -> Floats:
        """Return the weighted mean around each of `count` planes, which lie in the middle."""
        finite = np.isfinite(pixels)
        total = np.zeros((count, *pixels.shape[1:]), np.float32)
        weight = np.zeros_like(total)
        for offset, share in enumerate(self._bell):
            part = slice(offset, offset + count)
            total += share * np.where(finite[part], pixels[part], 0)
            weight += share * finite[part]
        mean = np.full_like(total, np.nan)
        np.divide(total, weight, out=mean, where=weight > 0)
        return mean
