"""Results as labels layers: the live prediction while training, and what Segment makes."""

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from numpy.typing import DTypeLike, NDArray

from unet_napari._napari.layers import Place, array_of, empty_array, geometry, output_shape

__all__ = ["find_result", "result_layer", "write_result"]

_KEY = "unet-napari"  # in a layer's metadata: whose result it is


def find_result(viewer: ViewerModel, image: Layer, purpose: str) -> Labels | None:
    """Return the layer that an earlier run made for an image, or None if it is gone.

    Found by what the layer remembers of its making, so that renaming either layer does no harm.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Layer
    purpose : str
        Tells the results of one image apart, such as the model's name.
    """
    made_for = {"image": str(image.unique_id), "purpose": purpose}
    for layer in viewer.layers:
        if isinstance(layer, Labels) and layer.metadata.get(_KEY) == made_for:
            return layer
    return None


def result_layer(
    viewer: ViewerModel,
    image: Image,
    axes: str,
    *,
    purpose: str,
    dtype: DTypeLike = np.uint32,
) -> Labels:
    """Return the layer for the result of an image: the one of an earlier run, or a new one.

    It lies on the image and has all of its axes but the channels.
    """
    shape = output_shape(array_of(image).shape, axes)
    layer = find_result(viewer, image, purpose)
    if layer is not None and array_of(layer).shape == shape:
        return layer
    if layer is not None:
        viewer.layers.remove(layer)
    return add_result(viewer, image, axes, purpose, empty_array(shape, dtype))


def add_result(
    viewer: ViewerModel, image: Image, axes: str, purpose: str, data: NDArray[np.integer]
) -> Labels:
    """Add a layer for the result of an image."""
    layer = Labels(
        data,
        name=f"{image.name} · {purpose}",
        metadata={_KEY: {"image": str(image.unique_id), "purpose": purpose}},
        **geometry(image, axes),
    )
    painted_on = viewer.layers.selection.active
    viewer.add_layer(layer)
    # A new layer becomes the active one, and the next stroke of the brush would go there.
    if painted_on is not None:
        viewer.layers.selection.active = painted_on
    return layer


def write_result(layer: Labels, place: Place, axes: str, labels: NDArray[np.integer]) -> None:
    """Write labels into their place of a layer.

    In place and with one refresh, which is several times as fast as new data.
    """
    layer.data[place.indexer(axes)] = labels
    layer.refresh(extent=False)
