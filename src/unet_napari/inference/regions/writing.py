"""What the segmentation and the prediction of a region share. No torch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from unet_napari.geometry import Box
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.regions.pieces import RegionPiece
    from unet_napari.inference.regions.placed import PlacedRegion
    from unet_napari.inference.regions.region_cuts import RegionCut
    from unet_napari.tasks.decoding.blocks import Store

__all__ = ["reader_of", "step_within", "write_maps"]


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
