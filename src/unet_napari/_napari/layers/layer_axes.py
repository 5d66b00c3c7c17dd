"""Layers and images: what a layer's axes are, and layers of the same geometry as another.

Works on layers and a `ViewerModel`; knows no Qt.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.utils.transforms import CompositeAffine

from napari.layers import Image as ImageLayer
from napari.layers import Labels, Layer
from unet_napari._napari.layers.empty_array import empty_array
from unet_napari._napari.layers.file_facts import known_facts
from unet_napari.errors import ImageError
from unet_napari.images import AXES, Image, LazyArray, guess_axes, parse_axes
from unet_napari.images.axes import describe_shape

__all__ = [
    "ViewPlace",
    "array_of",
    "axes_of",
    "current_slice",
    "current_view",
    "geometry",
    "has_pixel_size",
    "image_of",
    "new_labels",
    "output_axes",
    "output_shape",
    "pixel_size_of",
    "shown_axes",
]

_AXIS_NAMES = {"TIME": "T", "CHANNEL": "C", "CHANNELS": "C", "RGB": "C"}
_EXAMPLES = {3: "CYX or ZYX", 4: "TZYX or CZYX", 5: "TCZYX or TZCYX"}


def array_of(layer: Layer) -> LazyArray:
    """Return a layer's pixels without loading them; of a pyramid, the full resolution."""
    data: LazyArray = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return data


def axes_of(layer: ImageLayer, axes: str | None = None) -> str:
    """Tell the axes of a layer's array, such as ``ZYX`` or ``YXC``.

    Parameters
    ----------
    layer : napari.layers.Image
    axes : str, optional
        What the user says; otherwise the layer's axis labels where they are axis letters,
        otherwise what is known of its file, and otherwise what the shape suggests.

    Raises
    ------
    ImageError
        If they do not fit the layer, or nothing tells what they are.
    """
    shape = array_of(layer).shape
    if axes:
        return parse_axes(axes, shape)
    names = [_AXIS_NAMES.get(name.upper(), name.upper()) for name in layer.axis_labels]
    if layer.rgb:
        names.append("C")
    if all(name in AXES for name in names) and len(set(names)) == len(names):
        return parse_axes("".join(names), shape)
    if in_file := known_facts(layer).axes:
        return in_file
    try:
        return guess_axes(shape, array_of(layer).dtype, rgb=layer.rgb)
    except ImageError as error:
        raise ImageError(
            f"It is not clear what the {len(shape)} axes of '{layer.name}' "
            f"({describe_shape(shape)}) are: write them into Axes, under Data, "
            f"for example {_EXAMPLES.get(len(shape), 'YX')}."
        ) from error


def image_of(layer: ImageLayer, axes: str | None = None) -> Image:
    """Return the image of a layer, by reference: no pixel is read.

    Where the layer has no pixel size, it is the one that is known of its file.

    Raises
    ------
    ImageError
        If its axes cannot be told.
    """
    letters = axes_of(layer, axes)
    path = layer.source.path
    return Image(
        data=array_of(layer),
        axes=letters,
        pixel_size=pixel_size_of(layer, letters)
        if has_pixel_size(layer)
        else _size_in_file(layer, letters),
        name=layer.name,
        source=Path(path) if path else None,
    )


def output_axes(axes: str) -> str:
    """Return the axes of the labels of an image: all but the channels."""
    return axes.replace("C", "")


def output_shape(shape: Sequence[int], axes: str) -> tuple[int, ...]:
    """Return the shape of the labels of an image of a shape and axes."""
    return tuple(n for n, letter in zip(shape, axes, strict=True) if letter != "C")


def geometry(layer: Layer, axes: str, *, without: str = "C") -> dict[str, Any]:
    """Return where a layer without the channel axis of `layer` lies in the world.

    Parameters
    ----------
    layer : Layer
    axes : str
        Axes of its array, as told by `axes_of`.
    without : str
        Axes that the other layer does not have.

    Returns
    -------
    dict
        Arguments for a new layer: scale, translate, rotate, shear, affine, units, axis_labels.
    """
    layer_axes = axes[: layer.ndim]  # the colours of an RGB layer are not one of its axes
    kept = [i for i, letter in enumerate(layer_axes) if letter not in without]
    place = CompositeAffine(
        scale=layer.scale,
        translate=layer.translate,
        rotate=layer.rotate,
        shear=layer.shear,
        ndim=layer.ndim,
        units=layer.units,
        axis_labels=layer.axis_labels,
    ).set_slice(kept)
    return {
        "scale": place.scale,
        "translate": place.translate,
        "rotate": place.rotate,
        "shear": place.shear,
        "affine": layer.affine.set_slice(kept).affine_matrix,
        "units": place.units,
        "axis_labels": place.axis_labels,
    }


def new_labels(viewer: ViewerModel, layer: ImageLayer, axes: str | None = None) -> Labels:
    """Add an empty labels layer to paint on, which lies on an image layer.

    Its ids go beyond the 255 of napari's own new labels layers.

    Raises
    ------
    ImageError
        If the axes of the image cannot be told.
    ResourceError
        If the image is large and the disk of temporary files full.
    """
    letters = axes_of(layer, axes)
    shape = output_shape(array_of(layer).shape, letters)
    labels = Labels(
        empty_array(shape, np.uint16), name=f"{layer.name} labels", **geometry(layer, letters)
    )
    viewer.add_layer(labels)
    return labels


@dataclass(frozen=True)
class ViewPlace:
    """A part of an image: a point on some axes, a range on others, all of the rest.

    Attributes
    ----------
    index : mapping of str to int
        Position by axis letter; these axes are not in the part.
    region : mapping of str to slice
        Range by axis letter.
    """

    index: Mapping[str, int] = field(default_factory=dict)
    region: Mapping[str, slice] = field(default_factory=dict)

    def indexer(self, axes: str) -> tuple[int | slice, ...]:
        """Return what picks the part out of an array of the given axes."""
        everything = slice(None)
        return tuple(self.index.get(a, self.region.get(a, everything)) for a in axes)


def shown_axes(viewer: ViewerModel, layer: Layer, axes: str) -> str:
    """Return the axes of a layer that the canvas shows, such as ``YX``, or ``XZ`` where rolled."""
    hidden = viewer.dims.ndim - layer.ndim
    return "".join(axes[axis - hidden] for axis in viewer.dims.displayed if axis >= hidden)


def current_slice(viewer: ViewerModel, layer: Layer, axes: str) -> ViewPlace:
    """Return the plane of an image that the canvas shows: YX, or after rolling the axes ZX or ZY.

    In the 3D display, and where the canvas shows something else than two axes of space, it is
    the YX plane at the position of the sliders.
    """
    shown = shown_axes(viewer, layer, axes)
    plane = shown if len(shown) == 2 and set(shown) <= set("ZYX") else "YX"
    point = layer.world_to_data(viewer.dims.point)
    sizes = array_of(layer).shape
    index = {
        letter: int(np.clip(round(position), 0, size - 1))
        for letter, position, size in zip(axes[: layer.ndim], point, sizes, strict=False)
        if letter in "TZYX" and letter not in plane
    }
    return ViewPlace(index)


def current_view(viewer: ViewerModel, layer: Layer, axes: str) -> ViewPlace:
    """Return the part of the current slice that the canvas shows; in the 3D display, everything.

    An axis that the canvas does not show is whole.
    """
    place = current_slice(viewer, layer, axes)
    shown = shown_axes(viewer, layer, axes)
    if viewer.dims.ndisplay == 3:
        return ViewPlace({letter: i for letter, i in place.index.items() if letter not in shown})
    shape = array_of(layer).shape
    level = layer.data_level if getattr(layer, "multiscale", False) else 0
    factors = layer.downsample_factors[level] if level else np.ones(layer.ndim)
    region = {}
    for i, letter in enumerate(axes[: layer.ndim]):
        if letter in "ZYX" and letter in shown and letter not in place.index:
            first, last = layer.corner_pixels[:, i]
            start = int(np.clip(math.floor(first * factors[i]), 0, shape[i] - 1))
            stop = int(np.clip(math.ceil((last + 1) * factors[i]), start + 1, shape[i]))
            region[letter] = slice(start, stop)
    return ViewPlace(place.index, region)


def has_pixel_size(layer: ImageLayer) -> bool:
    """Tell whether a layer knows the size of its pixels, whatever its file says."""
    plain = np.all(np.abs(layer.scale) == 1)
    return not plain or any(str(unit) != "pixel" for unit in layer.units)


def _size_in_file(layer: ImageLayer, axes: str) -> dict[str, float]:
    known = known_facts(layer).pixel_size
    return {letter: known[letter] for letter in axes if letter in known}


def pixel_size_of(layer: Layer, axes: str) -> dict[str, float]:
    """Return micrometres by axis letter; what the layer does not know is left out."""
    # The size may also be in the affine, which other plugins and napari's own tools write to.
    stretch = np.linalg.norm(layer.affine.linear_matrix @ layer.rotate, axis=0)
    stretch[np.isclose(stretch, 1)] = 1  # of a layer that is turned, up to rounding
    spatial = [
        (letter, abs(float(scale)), unit)  # napari flips a layer by a negative scale
        for letter, scale, unit in zip(axes, layer.scale * stretch, layer.units, strict=False)
        if letter in "ZYX"
    ]
    sizes = {
        letter: scale * float((1 * unit).to("micrometer").magnitude)
        for letter, scale, unit in spatial
        if unit.is_compatible_with("micrometer")
    }
    if not sizes and any(scale != 1 for _, scale, _ in spatial):
        # A scale without a unit: in microscopy that is micrometres.
        sizes = {letter: scale for letter, scale, _ in spatial}
    return sizes
