"""Results as layers: each lies on its image, and a rerun updates it instead of adding another.

A layer that the user has edited or chosen as an input is the user's: a rerun makes another.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari.layers import Image, Labels, Layer
from unet_napari._napari.layers.empty_array import check_room, empty_array
from unet_napari._napari.layers.layer_axes import (
    ViewPlace,
    array_of,
    geometry,
    output_axes,
    output_shape,
)
from unet_napari._napari.layers.ownership import (
    age,
    highest_noted,
    is_made_for,
    is_untouched,
    mark,
    note_highest,
    note_purpose,
    writing,
)
from unet_napari._napari.layers.parts import ImagePart
from unet_napari._napari.layers.shown import look_predicted, shown_data
from unet_napari.inference.regions.renewal import Renewed, renew

__all__ = [
    "Purpose",
    "add_result",
    "find_result",
    "give_to",
    "highest_in",
    "is_writable",
    "latest_labels",
    "latest_result",
    "show_result",
    "write_objects",
    "write_result",
]

_LOOKED_AT = 1 << 24  # labels of a plane that are looked through for the highest number


@dataclass(frozen=True)
class Purpose:
    """What a result of an image is.

    Attributes
    ----------
    name : str
        Names the layer, after the image, such as the model's name.
    key : str
        Tells the results of one image apart, such as the model's file.
    """

    name: str
    key: str


def find_result(viewer: ViewerModel, image: Layer, purpose: Purpose) -> Layer | None:
    """Return the layer that an earlier run made for an image and that may be written to.

    None if there is none, or if the user has edited it or chosen it as an input. Found by what
    the layer remembers of its making, so that renaming either layer does no harm.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Layer
    purpose : Purpose
    """
    made = (layer for layer in _made(viewer, image, purpose) if is_untouched(layer))
    return next(made, None)


def latest_result(viewer: ViewerModel, image: Layer, purpose: Purpose) -> Layer | None:
    """Return the layer that the latest run made for an image, whoever has edited it since."""
    return next(iter(_made(viewer, image, purpose)), None)


def give_to(viewer: ViewerModel, image: Layer, before: Purpose, purpose: Purpose) -> None:
    """Let the results of an image that were made for one purpose be those of another."""
    for layer in _made(viewer, image, before):
        note_purpose(layer, purpose.key)


def latest_labels(viewer: ViewerModel, image: Layer, *, besides: Layer) -> Labels | None:
    """Return the newest labels that any model has found in an image, but for one layer."""
    made_for = {"image": str(image.unique_id)}
    made = [
        layer
        for layer in viewer.layers
        if isinstance(layer, Labels) and layer is not besides and is_made_for(layer, made_for)
    ]
    return min(made, key=age, default=None)


def _made(viewer: ViewerModel, image: Layer, purpose: Purpose) -> list[Layer]:
    """Return the results of an image, the newest first."""
    made_for = _made_for(image, purpose)
    made = [layer for layer in viewer.layers if is_made_for(layer, made_for)]
    return sorted(made, key=age)


def show_result(
    viewer: ViewerModel,
    image: Image,
    axes: str,
    data: NDArray[Any],
    purpose: Purpose,
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
        The axes of the image's array.
    data : ndarray
        The data of all axes but the channels.
    purpose : Purpose
    layer_type : type
        Labels, or Image for probability maps.
    below : Layer, optional
        A new layer is put below this one; otherwise on top.
    """
    layer = find_result(viewer, image, purpose)
    if layer is None or array_of(layer).shape != data.shape:
        return add_result(viewer, image, axes, data, purpose, layer_type, below)
    with writing(layer):
        layer.data = shown_data(data)
    return layer


def add_result(
    viewer: ViewerModel,
    image: Image,
    axes: str,
    data: NDArray[Any],
    purpose: Purpose,
    layer_type: type[Layer],
    below: Layer | None,
) -> Layer:
    """Show a result in a new layer."""
    earlier = find_result(viewer, image, purpose)
    if earlier is not None and array_of(earlier).shape != data.shape:
        viewer.layers.remove(earlier)  # of an image that has got another shape since
    name = f"{image.name} · {purpose.name}"
    layer = layer_type(shown_data(data), name=name, **geometry(image, axes))
    if isinstance(layer, Labels):
        look_predicted(viewer, layer)
    mark(layer, _made_for(image, purpose))
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
    place: ViewPlace,
    purpose: Purpose,
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
    if layer is None or not is_writable(layer, shape):
        data = empty_array(shape, part.dtype)
        check_room(data, part.nbytes)
        data[where] = part
        return add_result(viewer, image, axes, data, purpose, layer_type, below)
    check_room(array_of(layer), part.nbytes)
    with writing(layer):
        array_of(layer)[where] = part  # type: ignore[index]
        layer.refresh(extent=False)
    return layer


def write_objects(
    viewer: ViewerModel,
    image: Image,
    axes: str,
    found: NDArray[Any],
    part: ImagePart,
    place: ViewPlace,
    purpose: Purpose,
) -> tuple[Layer, Renewed]:
    """Show the cells of a part of an image in its place, whole ones, with numbers of their own.

    Parameters
    ----------
    viewer, image, axes, purpose
        Arguments of `show_result`.
    found : ndarray of int
        The labels of the outer part.
    part, place
        What was wanted, with and without what lies around.

    Raises
    ------
    ResourceError
        If the image is large and the disk of temporary files full; nothing is changed.
    """
    shape = output_shape(array_of(image).shape, axes)
    where = ViewPlace(place.index).indexer(output_axes(axes))
    plane = part.plane(found)
    layer = find_result(viewer, image, purpose)
    if layer is None or not is_writable(layer, shape):
        data = empty_array(shape, found.dtype)
        check_room(data, plane.nbytes)
        renewed = renew(data[where], part.window, part.inner_window, plane, 0)
        layer = add_result(viewer, image, axes, data, purpose, Labels, None)
    else:
        labels: Any = array_of(layer)
        check_room(labels, plane.nbytes)
        with writing(layer):
            known = highest_in(layer, labels[where])
            renewed = renew(labels[where], part.window, part.inner_window, plane, known)
            layer.refresh(extent=False)
    note_highest(layer, renewed.highest)
    return layer, renewed


def highest_in(layer: Layer, plane: NDArray[Any]) -> int:
    """Return what no label of a layer is higher than; looking at all of them may take long."""
    here = int(plane.max(initial=0)) if plane.size <= _LOOKED_AT else 0
    return max(highest_noted(layer), here)


def is_writable(layer: Layer, shape: tuple[int, ...]) -> bool:
    """Tell whether a part may be written to a layer: one that shows a file must not differ."""
    array = array_of(layer)
    return isinstance(array, np.ndarray) and array.shape == shape


def _made_for(image: Layer, purpose: Purpose) -> dict[str, str]:
    return {"image": str(image.unique_id), "purpose": purpose.key}
