"""Thresholds fitted to paint, by the maps of a segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unet_napari.errors import LabelsError
from unet_napari.geometry import bounding_box
from unet_napari.inference.config import CellThresholds
from unet_napari.labels.annotated import annotated_mask
from unet_napari.options import options_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.images import LazyArray
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.tasks import Task

__all__ = ["ThresholdFit", "fit_to_paint"]

_MARGIN = 32  # pixels around what was painted, so that no cell is cut


@dataclass(frozen=True)
class ThresholdFit:
    """Thresholds that were fitted to painted cells.

    Attributes
    ----------
    thresholds : dict of str to float
        The decoding parameters, as `segment` takes them.
    cells : int
        Number of painted cells.
    score_name : str
        What the scores are, such as "AP50".
    score, before : float
        On the painted cells, 0 to 1: with these thresholds, and with those of the model.
    """

    thresholds: dict[str, float]
    cells: int
    score_name: str
    score: float
    before: float


class PaintedView(NamedTuple):
    """A part of one view: probabilities ``(K, *S)``, painted ids and annotated pixels ``(*S)``."""

    maps: NDArray[np.floating]
    labels: NDArray[np.integer]
    annotated: NDArray[np.bool_]


def fit_to_paint(
    kept: KeptMaps, task: Task, labels: LazyArray, complete: LazyArray | None
) -> ThresholdFit:
    """Fit the thresholds of a task of cells to what was painted.

    Parameters
    ----------
    kept : KeptMaps
        The maps of a segmentation that has come to its end.
    task : Task
        The task of the model.
    labels : array of int
        The painted cells, in the shape of the result ``([T,] *S)``.
    complete : array of bool, optional
        Mask of the parts in which every cell is painted.

    Raises
    ------
    LabelsError
        If too few cells are painted.
    """
    painted = list(_painted(kept, task, labels, complete))
    maps = [view.maps for view in painted]
    truth, where = [view.labels for view in painted], [view.annotated for view in painted]
    before = task.score([task.decode(m) for m in maps], truth, where)
    cells = sum(np.unique(t[a & (t > 0)]).size for t, a in zip(truth, where, strict=True))
    if before is None:
        raise LabelsError(
            f"Thresholds are fitted to at least {task.kind.nouns(task.kind.fewest_units)}, but "
            f"only {cells} are painted: paint more of them, also where the model is wrong."
        )
    fitted = task.tuned(maps, truth, where)
    score = fitted.score([fitted.decode(m) for m in maps], truth, where)
    values = {name: getattr(fitted, name) for name in options_of(CellThresholds)}
    return ThresholdFit(values, cells, fitted.score_name, score or 0.0, before)


def _painted(
    kept: KeptMaps, task: Task, labels: LazyArray, complete: LazyArray | None
) -> Iterator[PaintedView]:
    """Yield maps, labels and annotated pixels of each view that something is painted in."""
    for position, index in kept.views():
        painted = np.asarray(labels[index] if index else labels[...])
        known = None if complete is None else np.asarray(complete[index or ...]) != 0
        box = bounding_box(painted != 0 if known is None else (painted != 0) | known)
        if box is None:
            continue
        box = box.grow(_MARGIN).clip(painted.shape)
        maps, axes = kept.maps_of_part(position, box)
        # Where the image was scaled for the network, the labels are scaled to its maps.
        scaled = tuple(
            np.searchsorted(places, np.arange(size)).clip(max=len(places) - 1)
            for places, size in zip(axes, maps.shape[1:], strict=True)
        )
        part = painted[box.to_slices()][np.ix_(*scaled)]
        region = None if known is None else known[box.to_slices()][np.ix_(*scaled)]
        spacing = getattr(task, "anisotropy", None) or None
        mask = annotated_mask(part, task=task.name, annotated=region, spacing=spacing)
        probabilities = maps.astype(np.float32) / 255
        yield PaintedView(probabilities, task.kind.compact_ids(part), mask)
