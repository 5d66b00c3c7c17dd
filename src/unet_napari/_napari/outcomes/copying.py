"""What the Segment dock has done, to be told as Python or as a command."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels, Layer
from unet_napari import images
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari._napari.runs.segment_order import Order
from unet_napari._napari.sections.measuring import labels_image
from unet_napari.errors import UnetNapariError, without_warnings
from unet_napari.images import Image as ImageData
from unet_napari.recipes.results import Measuring, Segmenting
from unet_napari.recipes.told import ImageFile, saved_as

__all__ = ["file_of", "measuring_of", "segmenting_of"]


def file_of(layer: Layer, image: ImageData, channel: int | None = None) -> ImageFile:
    """Return the file of a layer, and how it is to be read as this image.

    A layer that was read from no file, or has other pixels by now, has to be saved first.
    """
    path = layer.source.path
    found = None if path is None else _opened(str(path))
    shape = tuple(array_of(layer).shape)
    if found is None or _long(found.axes, found.data.shape) != _long(image.axes, shape):
        name = saved_as(layer.name)
        if found is None or math.prod(found.data.shape) != math.prod(shape):
            return ImageFile(name, layer.name, image.axes, channel, dict(image.pixel_size))
        return ImageFile(str(path), "", image.axes, channel, dict(image.pixel_size))
    known = {axis: found.pixel_size.get(axis, 0.0) for axis in image.pixel_size}
    same = all(math.isclose(known[a], n, rel_tol=1e-6) for a, n in image.pixel_size.items())
    return ImageFile(str(path), "", None, channel, {} if same else dict(image.pixel_size))


def measuring_of(
    labels: Labels, layer: Image | None, image: ImageData | None, *, slicewise: bool
) -> Measuring:
    """Return the recipe of a measurement."""
    return Measuring(
        file_of(labels, labels_image(labels, image)),
        None if layer is None or image is None else file_of(layer, image, image.fixed.get("C")),
        f"{saved_as(labels.name).removesuffix('.tif')}.csv",
        slicewise=slicewise,
    )


def segmenting_of(
    order: Order,
    model: str,
    settings: Mapping[str, Any],
    thresholds: Mapping[str, float],
    *,
    measured: bool,
) -> Callable[[], Segmenting]:
    """Return what makes the recipe of a segmentation, which looks at the file of the image."""
    layer, image = order.layer, order.image
    output = saved_as(layer.name).removesuffix(".tif") + "-labels.tif"
    if order.output is not None:
        output = str(order.output)

    def make() -> Segmenting:
        source = file_of(layer, image, image.fixed.get("C"))
        region = "" if order.region is None else str(order.region)
        part = not order.whole and not region
        return Segmenting(source, model, settings, thresholds, output, measured, part, region)

    return make


def _opened(path: str) -> ImageData | None:
    if not Path(path).exists():
        return None
    try:
        with without_warnings():
            return images.read_image(path)
    except (UnetNapariError, OSError):
        return None


def _long(axes: str, shape: tuple[int, ...]) -> list[tuple[str, int]]:
    """Return the axes that are longer than 1, with their lengths."""
    return [(a, int(n)) for a, n in zip(axes, shape, strict=True) if n > 1]
