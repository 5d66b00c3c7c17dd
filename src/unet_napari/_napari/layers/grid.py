"""The places of layers on the pixels of an image: labels and shapes are taken as they are seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari.layers import Image, Labels, Layer
from unet_napari._napari.layers.layer_axes import array_of, output_axes, output_shape
from unet_napari.errors import LabelsError
from unet_napari.geometry import Box
from unet_napari.images import LazyArray
from unet_napari.images.axes import describe_shape
from unet_napari.labels.sparse import SparseArray

__all__ = ["LayerGrid", "Resampling", "UnplacedError"]

_OFF_DISTANCE = 0.1  # pixels; labels that are off by less lie on the image


class UnplacedError(LabelsError):
    """Labels have the image's shape, but were never laid on it."""


@dataclass(frozen=True)
class Resampling:
    """The way to read labels with a grid of their own on the grid of an image: the nearest counts.

    Attributes
    ----------
    shape : tuple of int
        The shape of the labels of the image.
    step, start : tuple of float
        Along each axis, pixel `k` of the image is the pixel ``start + k * step`` of the labels.
    """

    shape: tuple[int, ...]
    step: tuple[float, ...]
    start: tuple[float, ...]

    def read(self, labels: LazyArray) -> SparseArray:
        """Return labels on the image's grid; 0 where they do not reach."""
        result = SparseArray(self.shape, labels.dtype)
        for box in SparseArray.of(labels).boxes():
            target = self._pixels_of(box)
            if not target.is_empty:
                nearest = [self._nearest(axis, *span) for axis, span in enumerate(target.spans)]
                values = np.asarray(labels[box.to_slices()])
                inside = np.ix_(*(n - start for n, start in zip(nearest, box.start, strict=True)))
                result.put(target, values[inside], add=True)
        return result

    def overlaps(self, shape: Sequence[int]) -> bool:
        """Tell whether labels of a shape reach any pixel of the image."""
        return not self._pixels_of(Box.whole(shape)).is_empty

    def _nearest(self, axis: int, start: int, stop: int) -> NDArray[np.intp]:
        """Return which label along an axis is nearest to each pixel of the image in a range."""
        at = self.start[axis] + np.arange(start, stop) * self.step[axis]
        indices: NDArray[np.intp] = np.floor(at + 0.5).astype(np.intp)
        return indices

    def _pixels_of(self, box: Box) -> Box:
        """Return the pixels of the image whose nearest label is in a box of the labels."""
        spans = []
        for axis, (start, stop) in enumerate(box.spans):
            nearest = self._nearest(axis, 0, self.shape[axis])
            found = np.flatnonzero((nearest >= start) & (nearest < stop))
            spans.append((int(found[0]), int(found[-1]) + 1) if len(found) else (0, 0))
        return Box.from_spans(spans)


class LayerGrid:
    """The pixels of an image without its channels, and where they lie in the world.

    Parameters
    ----------
    image : napari.layers.Image
    axes : str
        The axes of its array.
    """

    def __init__(self, image: Image, axes: str) -> None:
        self.axes = output_axes(axes)
        self.shape = output_shape(array_of(image).shape, axes)
        self._image = image
        # Positions among the layer's axes, of which the colours of an RGB layer are none.
        self._kept = [i for i, letter in enumerate(axes[: image.ndim]) if letter != "C"]

    def points(self, layer: Layer, points: NDArray[Any]) -> NDArray[np.floating]:
        """Return where points of a layer, ``(number, axes)``, lie on this grid.

        They are NaN along the first axes of the grid where the layer has fewer axes.
        """
        ndim = len(self._kept)
        surplus, missing = max(0, layer.ndim - ndim), max(0, ndim - layer.ndim)
        factors = self._unit_factors(layer)
        on_grid = np.full((len(points), ndim), np.nan)
        for i, point in enumerate(np.asarray(points, float)):
            world = np.zeros(self._image.ndim)
            world[self._kept[missing:]] = np.asarray(layer.data_to_world(point))[surplus:] * factors
            on_grid[i] = np.asarray(self._image.world_to_data(world))[self._kept]
        on_grid[:, :missing] = np.nan
        return on_grid

    def resampling(self, labels: Labels) -> Resampling | None:
        """Return how labels must be read to lie on this grid; None if they lie pixel on pixel.

        Raises
        ------
        UnplacedError
            If they have the image's shape but no place in the world, while the image has one.
        LabelsError
            If they do not reach the image, are turned, or have another number of axes or, with
            the same pixels, another shape; both layers are named.
        """
        shape = tuple(array_of(labels).shape)
        if len(shape) != len(self.shape):
            raise self._misfit(labels, shape)
        corners = np.array(np.meshgrid(*([0, n] for n in shape), indexing="ij"))
        corners = corners.reshape(len(shape), -1).T.astype(float)
        lying = self.points(labels, corners)
        if np.abs(lying - corners).max() < _OFF_DISTANCE:
            if shape != self.shape:
                raise self._misfit(labels, shape)
            return None
        if shape == self.shape and _is_unplaced(labels):
            raise UnplacedError(
                f"'{labels.name}' does not lie on '{self._image.name}': the image has a place "
                "and a pixel size that the labels lack. If they belong to it, press "
                "Lay on the image."
            )
        first, last = lying[0], lying[-1]
        size = (last - first) / np.array(shape)
        if np.abs(first + corners * size - lying).max() > _OFF_DISTANCE or np.any(size == 0):
            raise LabelsError(
                f"'{labels.name}' is turned or sheared against '{self._image.name}', so that their "
                "pixels do not match. Choose labels that lie on the image, or add some with New."
            )
        resampling = Resampling(self.shape, tuple(1 / size), tuple(-first / size))
        if not resampling.overlaps(shape):
            raise LabelsError(
                f"'{labels.name}' lies elsewhere than '{self._image.name}': no pixel of it is on "
                "the image. Choose the labels that belong to this image."
            )
        return resampling

    def _unit_factors(self, layer: Layer) -> NDArray[np.floating]:
        """Return the factors from world coordinates of a layer to units of the image."""
        wanted = [self._image.units[i] for i in self._kept]
        factors = []
        for unit, other in zip(layer.units[-len(wanted) :], wanted[-layer.ndim :], strict=True):
            known = unit != other and unit.is_compatible_with(other)
            factors.append(float((1 * unit).to(other).magnitude) if known else 1.0)
        return np.array(factors)

    def _misfit(self, labels: Labels, shape: tuple[int, ...]) -> LabelsError:
        return LabelsError(
            f"'{labels.name}' has the shape {describe_shape(shape)}, but '{self._image.name}' "
            f"needs labels of {describe_shape(self.shape)}. New adds a layer that fits."
        )


def _is_unplaced(layer: Layer) -> bool:
    """Tell whether a layer lies where napari puts what it knows nothing about."""
    corners = np.eye(layer.ndim + 1, layer.ndim)  # with the origin as the last one
    return all(np.allclose(layer.data_to_world(corner), corner) for corner in corners)
