"""From the maps of all slices of a stack, made by a 2D network, to objects in 3D. No torch.

In 2D the distance map is 1 in the middle of each outline, whatever lies above and beneath it, so
cells on top of each other would be one. Smoothed in 3D it has a summit in the middle of each
cell: the larger outlines of a cell count more than the small ones at its top and bottom. Seeds are
these summits, and the smoothed map is the relief of the flood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from unet_napari.geometry import Box
from unet_napari.tasks.decoding.blocks import DEFAULT_BLOCKS
from unet_napari.tasks.decoding.decode import CellRule
from unet_napari.tasks.decoding.instances import Instances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.tasks.decoding.blocks import Blocks, BoxTarget, Passes, Store

__all__ = ["StackDecoder", "StackScale"]

# All lengths are shares of the cells' diameter, and all thresholds shares of those of the slices.
# They were chosen on `bbbc050/train`, see docs/guide/accuracy.md.
_SMOOTHING_LENGTH = 0.15
_WINDOW_LENGTH = 0.25
_FOREGROUND_SMOOTHING_LENGTH = 0.05
# A network is less sure of a cell's outlines near its top and bottom than of those in its middle.
_FOREGROUND_SHARE = 0.5
_SEED_SHARE = 0.25
# What reaches 95 % of the summit belongs to it: 19 of 20, in whole numbers.
_SUMMIT_SHARE = (19, 20)
# Standard deviations within which is smoothed, and the smallest that changes anything.
_TRUNCATION = 4.0
_LEAST_SIGMA = 0.1


@dataclass(frozen=True)
class StackScale:
    """How large cells are in a stack.

    Attributes
    ----------
    diameter : float
        The diameter of a typical cell, in pixels of a slice.
    spacing : float
        Distance from one slice to the next, in pixels of a slice.
    """

    diameter: float
    spacing: float

    def along(self, share: float) -> tuple[float, float, float]:
        """Return a share of the diameter in slices, rows and columns."""
        length = share * self.diameter
        return length / self.spacing, length, length


class StackDecoder:
    """Finds the cells of a stack in packed maps of its slices.

    Parameters
    ----------
    rule
        The rule of a single slice.
    scale
        Size of the cells and distance of the slices.
    """

    def __init__(self, rule: CellRule, scale: StackScale) -> None:
        self._rule, self._scale = _in_stack(rule, scale), scale

    def decode_steps(
        self,
        packed: Store,
        scratch: Store,
        out: BoxTarget,
        blocks: Blocks = DEFAULT_BLOCKS,
        first_id: int = 1,
    ) -> Passes:
        """Turn packed maps ``(3, Z, Y, X)`` into labels ``(Z, Y, X)``, see `Task.decode_steps`."""
        maps = _SmoothedMaps(packed, self._scale)
        return Instances(self._rule, maps, scratch, blocks).run(out, first_id)


@dataclass(frozen=True)
class _SummitRule(CellRule):
    """Where cells are, and where each begins, by the maps of `_SmoothedMaps`."""

    def seeds(self, maps: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return the mask of the summits within cells, (*S)."""
        share, of = _SUMMIT_SHARE
        _, summits, highest = maps.astype(np.uint16)
        high = (of * summits >= share * highest) & (summits > int(self.seed_threshold * 255))
        seeds: NDArray[np.bool_] = high & self.mask(maps)
        return seeds

    def relief(self, maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the height of each pixel for the flood, (*S): low in the middle of cells."""
        relief: NDArray[np.uint8] = np.bitwise_not(maps[1])
        return relief


def _in_stack(rule: CellRule, scale: StackScale) -> _SummitRule:
    """Return the rule of a stack that belongs to the rule of a single slice.

    Its smallest cell is a ball whose largest outline is the smallest outline of a slice.
    """
    ball = 4 / (3 * math.sqrt(math.pi)) * rule.min_size**1.5
    return _SummitRule(
        _FOREGROUND_SHARE * rule.foreground_threshold,
        _SEED_SHARE * rule.seed_threshold,
        round(ball / scale.spacing),
    )


class _SmoothedMaps:
    """What `_SummitRule` needs of packed maps, computed where it is read.

    It is three maps, 0 to 255: the smoothed foreground, the smoothed product of foreground and
    distance, and the highest value of that in the surroundings of each pixel. Each pixel depends on
    a bounded part of the packed maps, which is read, so it is the same whatever part is asked for.
    """

    def __init__(self, packed: Store, scale: StackScale) -> None:
        self.shape = packed.shape
        self._packed = packed
        self._sigmas = scale.along(_SMOOTHING_LENGTH)
        self._foreground_sigmas = scale.along(_FOREGROUND_SMOOTHING_LENGTH)
        self._window = tuple(2 * round(length) + 1 for length in scale.along(_WINDOW_LENGTH))
        self._context = tuple(
            int(_TRUNCATION * sigma + 0.5) + window // 2 + 1
            for sigma, window in zip(self._sigmas, self._window, strict=True)
        )

    def __getitem__(self, key: tuple[slice, ...], /) -> NDArray[np.uint8]:
        """Return a part, given by one slice for the maps and one for each axis."""
        kept, *part = key
        box = Box.from_slices(part, self.shape[1:])
        outer = box.grow(self._context).clip(self.shape[1:])
        foreground, _, distance = self._packed[(slice(None), *outer.to_slices())]
        inner = box.to_slices(outer)
        deep = foreground.astype(np.float32) * distance / 255
        summits = _rounded(_smooth(deep, self._sigmas))
        highest = ndimage.maximum_filter(summits, size=self._window)
        mask = _rounded(_smooth(foreground.astype(np.float32), self._foreground_sigmas))
        return np.stack([each[inner] for each in (mask, summits, highest)[kept]])

    def __setitem__(self, key: Any, value: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        """Refuse: what is computed cannot be written."""
        raise TypeError("smoothed maps are only read")


def _smooth(array: NDArray[np.float32], sigmas: tuple[float, ...]) -> NDArray[np.float32]:
    for axis, sigma in enumerate(sigmas):
        if sigma > _LEAST_SIGMA:
            array = ndimage.gaussian_filter1d(array, sigma, axis, truncate=_TRUNCATION)
    return array


def _rounded(array: NDArray[np.float32]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(array).clip(0, 255).astype(np.uint8)
    return rounded
