"""Results as layers: each lies on its image, and a rerun updates it instead of adding another."""

import math
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from unet_napari._napari.empty_array import check_room, empty_array
from unet_napari._napari.layers import (
    Place,
    array_of,
    geometry,
    output_axes,
    output_shape,
)

__all__ = ["find_result", "largest_number_around", "show_result", "write_result"]

_LOOKED_AT = 1 << 25  # labels that are looked through for the largest number
_KEY = "unet-napari"  # in a layer's metadata: whose result it is


def find_result(viewer: ViewerModel, image: Layer, purpose: str) -> Layer | None:
    """Return the layer that an earlier run made for an image, or None if it is gone.

    Found by what the layer remembers of its making, so that renaming either layer does no harm.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Layer
    purpose : str
        Tells the results of one image apart, such as the model's name.
    """
    made_for = _made_for(image, purpose)
    return next((layer for layer in viewer.layers if layer.metadata.get(_KEY) == made_for), None)


def show_result(
    viewer: ViewerModel,
    image: Image,
    axes: str,
    data: NDArray[Any],
    purpose: str,
    layer_type: type[Layer] = Labels,
    *,
    below: Layer | None = None,
) -> Layer:
    """Show the result of a whole image: in the layer of an earlier run, or in a new one.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : napari.layers.Image
    axes : str
        Of the image's array.
    data : ndarray
        Of all axes but the channels.
    purpose : str
        Such as the model's name; with the image's it names the layer.
    layer_type : type
        Labels, or Image for probability maps.
    below : Layer, optional
        A new layer is put below this one; otherwise on top.
    """
    layer = find_result(viewer, image, purpose)
    if layer is not None and array_of(layer).shape == data.shape:
        layer.data = data
        return layer
    if layer is not None:  # of an image that has got another shape since
        viewer.layers.remove(layer)
    layer = layer_type(
        data,
        name=f"{image.name} · {purpose}",
        metadata={_KEY: _made_for(image, purpose)},
        **geometry(image, axes),
    )
    active = viewer.layers.selection.active
    where = len(viewer.layers) if below not in viewer.layers else viewer.layers.index(below)
    viewer.layers.insert(where, layer)
    # A new layer becomes the active one, and the next stroke of the brush would go there.
    if isinstance(active, Labels):
        viewer.layers.selection.active = active
    return layer


def write_result(
    viewer: ViewerModel,
    image: Image,
    axes: str,
    part: NDArray[Any],
    place: Place,
    purpose: str,
    layer_type: type[Layer] = Labels,
    *,
    below: Layer | None = None,
) -> Layer:
    """Show the result of a part of an image in its place; the other places stay as they are.

    Written in place and with one refresh, which is several times as fast as new data, so that a
    live prediction does not disturb the painting.

    Raises
    ------
    ResourceError
        If the image is large and the disk of temporary files full; nothing is changed.
    """
    shape = output_shape(array_of(image).shape, axes)
    where = place.indexer(output_axes(axes))
    layer = find_result(viewer, image, purpose)
    if layer is None or array_of(layer).shape != shape:
        data = empty_array(shape, part.dtype)
        check_room(data, part.nbytes)
        data[where] = part
        return show_result(viewer, image, axes, data, purpose, layer_type, below=below)
    check_room(array_of(layer), part.nbytes)
    array_of(layer)[where] = part  # type: ignore[index]
    layer.refresh(extent=False)
    return layer


def largest_number_around(
    viewer: ViewerModel, image: Image, axes: str, place: Place, purpose: str
) -> int:
    """Return the largest number of the cells that are already shown around a place.

    In a large layer only the slice is looked at, so that the viewer is not held up.
    """
    layer = find_result(viewer, image, purpose)
    if layer is None or array_of(layer).shape != output_shape(array_of(image).shape, axes):
        return 0
    letters = output_axes(axes)
    around = array_of(layer)
    if math.prod(around.shape) > _LOOKED_AT:
        around = around[Place(place.index).indexer(letters)]
        letters = "".join(letter for letter in letters if letter not in place.index)
        place = Place({}, place.region)
    counts = np.ones(around.shape, bool)
    counts[place.indexer(letters)] = False
    return int(np.max(np.asarray(around), initial=0, where=counts))


def _made_for(image: Layer, purpose: str) -> dict[str, str]:
    return {"image": str(image.unique_id), "purpose": purpose}
