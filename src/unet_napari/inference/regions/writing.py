"""What the segmentation and the prediction of a region share. No torch."""

from __future__ import annotations

import math
from dataclasses import replace
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from unet_napari.geometry import Box
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.regions.pieces import RegionPiece
    from unet_napari.inference.regions.placed import PlacedRegion
    from unet_napari.inference.regions.region_cuts import RegionCut
    from unet_napari.tasks.decoding.blocks import Store

__all__ = ["ShiftedArray", "reader_of", "step_within", "write_maps"]


class ShiftedArray:
    """A part of an array, addressed by positions in the whole.

    Parameters
    ----------
    part : array-like
        The part, which is read and written.
    start : sequence of int
        Where it begins along each axis of the whole.

    Attributes
    ----------
    shape : tuple of int
        How far it reaches in the whole.
    dtype : numpy.dtype
    """

    def __init__(self, part: Any, start: Sequence[int]) -> None:  # noqa: ANN401  any array
        self._part, self._start = part, tuple(start)
        self.shape = tuple(map(add, self._start, part.shape))
        self.dtype = np.dtype(part.dtype)

    def __getitem__(self, key: tuple[int | slice, ...], /) -> NDArray[Any]:
        """Return a part, selected by an integer or a slice for each axis, within this part."""
        return np.asarray(self._part[self._moved(key)])

    def __setitem__(self, key: tuple[int | slice, ...], values: Any, /) -> None:  # noqa: ANN401
        """Write a part."""
        self._part[self._moved(key)] = values

    def _moved(self, key: tuple[int | slice, ...]) -> tuple[int | slice, ...]:
        moved: list[int | slice] = []
        for part, start, stop in zip(key, self._start, self.shape, strict=True):
            if isinstance(part, slice):
                begin, end, _ = part.indices(stop)
                moved.append(slice(begin - start, end - start))
            else:
                moved.append(part - start)
        return tuple(moved)


def reader_of(
    region: PlacedRegion, piece: RegionPiece, cut: RegionCut
) -> Callable[[Box], NDArray[np.bool_]]:
    """Return what tells which pixels of a box of a cut lie in the region."""

    def inside(box: Box) -> NDArray[np.bool_]:
        place = box.absolute_in(cut.outer).prepend(piece.index)
        return region.read(place).reshape(box.shape)

    return inside


def write_maps(
    out: Store,
    piece: RegionPiece,
    cut: RegionCut,
    maps: NDArray[np.float32],
    inside: Callable[[Box], NDArray[np.bool_]],
) -> None:
    """Write the maps of those pixels of a piece that lie in the region.

    Parameters
    ----------
    out : array of float32
        Maps of the whole image, (K, [T,] *S).
    piece, cut
        What was computed.
    maps : ndarray of float32
        Maps of the cut, (K, *S).
    inside : callable
        See `reader_of`.
    """
    place = piece.box.relative_to(cut.outer)
    key = (slice(None), *piece.index, *piece.box.to_slices())
    there = np.array(out[key])
    np.copyto(there, maps[:, *place.to_slices()], where=inside(place))
    out[key] = there


def step_within(step: Progress, done: int, size: int, total: int) -> Progress:
    """Return a step of one piece as one of all of them.

    Parameters
    ----------
    step : Progress
        The step.
    done, size, total : int
        Pixels of the pieces before, of this one, and of all.
    """
    share = step.done / max(step.total, 1)
    plan = step.plan
    if plan is not None and plan.seconds is not None:
        plan = replace(plan, seconds=plan.seconds * (total - done) / size)
    # No step before the last one says that all is done.
    now = min(done + math.floor(size * share), total - 1)
    return replace(step, done=now, total=total, region=None, plan=plan)
