"""Places in a prediction that are worth a look, kept with its layer.

Who makes a prediction says here where it is to be doubted, or how that can be found out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari.layers import Labels, Layer
from unet_napari._napari.layers.ownership import pixels_noted
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject

__all__ = [
    "Ranker",
    "Spot",
    "go_to",
    "note_ranker",
    "note_spots",
    "placed",
    "ranker_of",
    "spots_of",
]


@dataclass(frozen=True)
class Spot:
    """A place to look at.

    Attributes
    ----------
    doubt : float
        0 to 1.
    reason : str
        Why, in a few words.
    point : tuple of int
        A pixel of the object, in the labels of the image.
    painted : bool
        Whether it is a painted cell that is predicted otherwise.
    size : int
        Number of pixels of the object.
    missed : bool
        Whether it is no object of the prediction, but perhaps a cell that was not found.
    box : tuple of (int, int)
        Of a missed cell: where it lies in the labels of the image, start and stop by axis.
    mask : ndarray of bool or None
        Of a missed cell: its pixels in the box.
    """

    doubt: float
    reason: str
    point: tuple[int, ...]
    painted: bool = False
    size: int = 1
    missed: bool = False
    box: tuple[tuple[int, int], ...] = ()
    mask: NDArray[np.bool_] | None = field(default=None, compare=False)

    @property
    def window(self) -> tuple[slice, ...]:
        """The box as an index of the labels."""
        return tuple(slice(*span) for span in self.box)


Ranker = Callable[[Labels, Callable[[Sequence[Spot]], None], Callable[[Exception], None]], None]
"""Ranks the objects of a prediction, given what is painted, and tells the result or an error."""

_spots: WeakKeyDictionary[Layer, tuple[object, tuple[Spot, ...]]] = WeakKeyDictionary()
_rankers: WeakKeyDictionary[Layer, Ranker] = WeakKeyDictionary()


def note_spots(layer: Layer, spots: Sequence[Spot]) -> None:
    """Keep the ranking of a prediction, for as long as its pixels are those of now."""
    _spots[layer] = pixels_noted(layer), tuple(spots)


def spots_of(layer: Layer) -> tuple[Spot, ...] | None:
    """Return the ranking of a prediction; None if there is none of its present pixels."""
    pixels, spots = _spots.get(layer, (None, None))
    return spots if pixels == pixels_noted(layer) else None


def go_to(viewer: ViewerModel, layer: Layer, point: Sequence[float]) -> None:
    """Show a place in the middle of the screen, at its slice and time point.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    layer : napari.layers.Layer
        The layer that the place is in.
    point : sequence of float
        The place, in pixels of the layer.
    """
    world = np.asarray(layer.data_to_world(point))
    dims = viewer.dims
    surplus = dims.ndim - layer.ndim
    for axis, value in enumerate(world, surplus):
        if axis not in dims.displayed:
            dims.set_point(axis, value)
    centre = [0.0] * 3
    shown = [axis for axis in dims.displayed if axis >= surplus]
    centre[-len(shown) :] = [float(world[axis - surplus]) for axis in shown]
    viewer.scene.camera.center = tuple(centre)


def note_ranker(layer: Layer, ranker: Ranker) -> None:
    """Keep how the objects of a prediction can be ranked; a ranking from before is forgotten."""
    _rankers[layer] = ranker
    _spots.pop(layer, None)


def ranker_of(layer: Layer) -> Ranker | None:
    """Return what ranks the objects of a prediction; None if nothing can."""
    return _rankers.get(layer)


def placed(
    found: Sequence[DoubtfulObject],
    axes: str,
    region: Mapping[str, tuple[int, int]],
    index: Mapping[str, int],
) -> list[Spot]:
    """Return a ranking whose points are pixels of the labels of the image.

    Parameters
    ----------
    found : sequence of DoubtfulObject
        The ranking of a part of the image.
    axes : str
        The axes of the labels of the image.
    region : mapping of str to (int, int)
        Place of the part, for each axis of its points, in their order.
    index : mapping of str to int
        The position of the part along other axes; 0 where nothing is said.
    """
    spots = []
    for item in found:
        at: dict[str, Any] = dict(index)
        for (letter, (first, _)), place in zip(region.items(), item.point, strict=True):
            at[letter] = first + place
        point = tuple(int(at.get(letter, 0)) for letter in axes)
        spot = Spot(item.doubt, item.reason, point, item.painted, item.size, item.missed)
        spots.append(_with_mask(spot, item, axes, region) if item.missed else spot)
    return spots


def _with_mask(
    spot: Spot, item: DoubtfulObject, axes: str, region: Mapping[str, tuple[int, int]]
) -> Spot:
    """Return a spot with the pixels of a missed cell, its axes in the order of the labels."""
    letters = list(region)
    box = [(at, at + 1) for at in spot.point]
    for letter, (start, stop) in zip(letters, item.box, strict=True):
        first = region[letter][0]
        box[axes.index(letter)] = (first + start, first + stop)
    order = [letters.index(letter) for letter in axes if letter in region]
    mask = item.mask().transpose(order).reshape([stop - start for start, stop in box])
    return replace(spot, box=tuple(box), mask=mask)
