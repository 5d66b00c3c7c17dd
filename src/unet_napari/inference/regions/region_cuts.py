"""What of an image is computed for a piece of a region: enough to get the labels of the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.geometry import Box
from unet_napari.inference.diameter import model_spacing
from unet_napari.inference.orientations import variants_of
from unet_napari.inference.stacks import stack_scale

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.images import Image, LazyArray
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.prepared import PreparedModel

__all__ = ["Margins", "RegionCut", "cut_out_of", "margins_for"]

# Diameters of an object beyond the region that are computed first. An object that belongs to the
# region reaches half of its length beyond it, and its neighbour must be right as well.
_REACH = 2.0
_USUAL_DIAMETER = 20.0  # pixels, of a model that does not know it
# The smoothing in a stack reaches so many diameters, and pixels: `StackDecoder` bounds it at 0.725.
_STACK_REACH, _STACK_PIXELS = 0.75, 2
# The slices of a stack are smoothed over so many diameters before the network sees them.
_SMOOTHED = 0.2


@dataclass(frozen=True)
class RegionCut:
    """A part of an image that is computed as an image of its own.

    Attributes
    ----------
    outer : Box
        The part.
    sure : Box
        What of it is what it would be in the whole image, along the axes of the part.
    """

    outer: Box
    sure: Box

    @property
    def near(self) -> Box:
        """What is sure, as a box of the image."""
        return self.sure.absolute_in(self.outer)

    @property
    def is_whole(self) -> bool:
        """Whether all of it is sure."""
        return self.sure == Box.whole(self.outer.shape)


@dataclass(frozen=True)
class Margins:
    """How much around a part is computed, in pixels along each of its axes.

    Attributes
    ----------
    reach : tuple of int
        Surroundings in which the objects of the part end.
    halo : tuple of int
        What can change the maps of a pixel, on each side of it.
    stride : tuple of int
        A part begins and ends at multiples of it, so that the network pools as in the whole image.
    """

    reach: tuple[int, ...]
    halo: tuple[int, ...]
    stride: tuple[int, ...]

    def doubled(self) -> Margins:
        """Return them with twice the surroundings."""
        return replace(self, reach=tuple(2 * n for n in self.reach))

    def cut(self, wanted: Box, shape: tuple[int, ...]) -> RegionCut:
        """Return what is computed for a box of an image of a shape."""
        sure = wanted.grow(self.reach).clip(shape)
        # The halo is that of a box on the grid of the strides, as the core of a tile is.
        start = (a // n * n for a, n in zip(sure.start, self.stride, strict=True))
        stop = (math.ceil(b / n) * n for b, n in zip(sure.stop, self.stride, strict=True))
        core = Box(tuple(start), tuple(stop))
        halo = (math.ceil(h / n) * n for h, n in zip(self.halo, self.stride, strict=True))
        outer = core.grow(tuple(halo)).clip(shape)
        # At the border of the image nothing is missing.
        begin = (s if o else 0 for s, o in zip(sure.start, outer.start, strict=True))
        end = (s if o < n else n for s, o, n in zip(sure.stop, outer.stop, shape, strict=True))
        return RegionCut(outer, Box(tuple(begin), tuple(end)).relative_to(outer))


def margins_for(
    image: Image,
    prepared: PreparedModel,
    config: InferenceConfig,
    factors: tuple[float, ...],
    *,
    stacked: bool,
) -> Margins:
    """Return how much around a part of an image is computed.

    Parameters
    ----------
    image : Image
        The whole image.
    prepared : PreparedModel
        Model that segments.
    config : InferenceConfig
        Settings of the segmentation.
    factors : tuple of float
        By what the image is to be enlarged, per axis of the network.
    stacked : bool
        Whether a 2D model makes 3D objects of a stack.

    Warns
    -----
    UnetNapariWarning
        See `PreparedModel.grid`.
    """
    model = prepared.model
    grid = prepared.grid(config.halo, variants_of(model) if config.tta else ())
    context = (halo + margin for halo, margin in zip(grid.halo, grid.margin, strict=True))
    halo = [math.ceil(n / factor) for n, factor in zip(context, factors, strict=True)]
    # An image that is scaled has pixels of its own, on which the strides fall anyway.
    stride = grid.stride if set(factors) == {1.0} else (1,) * model.ndim
    if not model.task.kind.separates_objects:
        return Margins((0,) * model.ndim, tuple(halo), stride)
    lengths = _diameters(image, prepared, factors)
    if stacked and (scale := stack_scale(image, model, config, factors)) is not None:
        diameter = scale.along(1)[0]
        lengths = [diameter, *lengths]
        halo = [math.ceil(_SMOOTHED * diameter) + 1, *halo]
        halo = [
            n + math.ceil(_STACK_REACH * length) + _STACK_PIXELS
            for n, length in zip(halo, lengths, strict=True)
        ]
        stride = (1, *stride)
    return Margins(tuple(math.ceil(_REACH * n) for n in lengths), tuple(halo), stride)


def _diameters(image: Image, prepared: PreparedModel, factors: tuple[float, ...]) -> list[float]:
    """Return how large objects are for the model, in pixels of the image along each axis."""
    model = prepared.model
    spacing = model_spacing(model, image.spatial_axes[-model.ndim :])
    known = model.diameter or _USUAL_DIAMETER
    return [known / step / factor for step, factor in zip(spacing, factors, strict=True)]


def cut_out_of(image: Image, box: Box) -> Image:
    """Return a box of the last spatial axes of an image, as an image; nothing is read."""
    letters = image.spatial_axes[-box.ndim :]
    spans = dict(zip(letters, box.spans, strict=True))
    if all(spans[a] == (0, n) for a, n in zip(letters, image.shape[-box.ndim :], strict=True)):
        return image
    return replace(image, data=_CutData(image.data, [spans.get(axis) for axis in image.axes]))


class _CutData:
    """The data of an image between a start and a stop along some of its axes."""

    def __init__(self, data: LazyArray, spans: list[tuple[int, int] | None]) -> None:
        self._data = data
        pairs = zip(spans, data.shape, strict=True)
        ends = [(0, size) if span is None else span for span, size in pairs]
        self._starts = [start for start, _ in ends]
        self.shape = tuple(stop - start for start, stop in ends)
        self.dtype = np.dtype(data.dtype)

    def __getitem__(self, key: tuple[int | slice, ...], /) -> NDArray[Any]:
        return np.asarray(self._data[tuple(self._moved(key))])

    def _moved(self, key: tuple[int | slice, ...]) -> Iterator[int | slice]:
        for part, begin, size in zip(key, self._starts, self.shape, strict=True):
            if isinstance(part, slice):
                start, stop, step = part.indices(size)
                yield slice(begin + start, begin + max(start, stop), step)
            else:
                yield begin + part
