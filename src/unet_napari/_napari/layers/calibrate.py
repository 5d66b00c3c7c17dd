"""Giving an image its pixel size, together with all that lies on it and with what is seen."""

from collections.abc import Mapping, Sequence

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari.layers import Image, Labels, Layer
from unet_napari._napari.layers.layer_axes import axes_of, output_axes

__all__ = ["apply_pixel_size"]

_END_GAP = 1.0  # pixels by which the ends of layers that lie on each other may differ


def apply_pixel_size(
    viewer: ViewerModel, image: Image, pixel_size: Mapping[str, float], axes: str | None = None
) -> None:
    """Give an image layer a pixel size, and every layer that lies on it.

    Labels, shapes, points and other channels would no longer lie on the image else, and mixed
    units make napari warn. The viewer goes on showing what it shows.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : napari.layers.Image
    pixel_size : mapping of str to float
        Micrometres by axis.
    axes : str, optional
        The axes of the image's array, where the user says so.
    """
    letters = axes_of(image, axes)[: image.ndim]
    flat = len(output_axes(letters))  # pixels of fewer axes are those of another image
    layers = [
        layer
        for layer in viewer.layers
        if layer is image
        or (_lies_on(layer, image, viewer) and (layer.ndim >= flat or not _has_pixels(layer)))
    ]
    camera, point = viewer.scene.camera, np.array(viewer.dims.point)
    centre, zoom = np.array(camera.center), camera.zoom
    for layer in layers:
        without = output_axes(letters)
        named = without if isinstance(layer, Labels) and layer.ndim == len(without) else letters
        named = named.rjust(layer.ndim, "?")[-layer.ndim :]
        _stretch(layer, [pixel_size.get(letter, 1.0) for letter in named])
        layer.units = ["um" if letter in pixel_size else "pixel" for letter in named]
    shown = letters.rjust(viewer.dims.ndim, "?")[-viewer.dims.ndim :]
    factors = np.array([pixel_size.get(letter, 1.0) for letter in shown])
    viewer.dims.point = tuple(point * factors)
    on_screen = factors[list(viewer.dims.displayed)]
    centre[-len(on_screen) :] *= on_screen
    camera.center = tuple(float(value) for value in centre)
    camera.zoom = zoom / float(np.prod(on_screen) ** (1 / len(on_screen)))


def _lies_on(layer: Layer, image: Image, viewer: ViewerModel) -> bool:
    """Tell by its place in the world whether a layer belongs to an image."""
    if any(str(unit) != "pixel" for unit in layer.units):
        return False
    ends = layer.extent.world
    if not np.all(np.isfinite(ends)) or np.ptp(ends) == 0:  # an empty layer, to be drawn in
        return not _has_pixels(layer)
    if _same_place(layer, image):
        return True
    others = [other for other in viewer.layers if isinstance(other, Image) and other is not layer]
    if isinstance(layer, Image) or any(
        _same_place(layer, other) and not _same_place(other, image) for other in others
    ):
        return False
    own, whole = _common(ends, image.extent.world)
    if isinstance(layer, Labels):
        return bool(np.all(own[0] >= whole[0] - _END_GAP) and np.all(own[1] <= whole[1] + _END_GAP))
    return bool(np.all(own[0] <= whole[1]) and np.all(own[1] >= whole[0]))


def _has_pixels(layer: Layer) -> bool:
    return isinstance(layer, (Image, Labels))


def _same_place(layer: Layer, other: Layer) -> bool:
    ends, others = _common(layer.extent.world, other.extent.world)
    return bool(np.all(np.abs(ends - others) <= _END_GAP))


def _common(
    ends: NDArray[np.floating], others: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the ends of two layers along the last axes that both have, at most three."""
    axes = min(ends.shape[1], others.shape[1], 3)
    return ends[:, -axes:], others[:, -axes:]


def _stretch(layer: Layer, factors: Sequence[float]) -> None:
    """Multiply the place and the size of a layer in the world by a factor along each axis."""
    matrix = np.diag([*factors, 1.0])
    linear = np.asarray(layer.rotate)
    plain = np.allclose(linear, np.eye(layer.ndim)) and not np.any(layer.shear)
    if plain or len(set(factors)) == 1:
        affine = matrix @ layer.affine.affine_matrix @ np.linalg.inv(matrix)
        layer.translate = np.asarray(layer.translate) * factors
        layer.scale = np.asarray(layer.scale) * factors
    else:  # a turned layer cannot be stretched along the axes of the world by its scale
        affine = matrix @ layer.affine.affine_matrix
    layer.affine = affine
