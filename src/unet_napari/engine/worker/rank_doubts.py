"""Where to look: the objects of the last segmentation, ranked by doubt or drawn at random."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from unet_napari.engine.worker.open_images import open_array
from unet_napari.engine.worker.segment_layers import drive
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.geometry import Box
from unet_napari.inference.doubt.check_table import draw_places
from unet_napari.inference.doubt.ranking import doubt_steps, drained
from unet_napari.inputs import with_thresholds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.engine.threshold_requests import CheckJob, DoubtJob
    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.inference.doubt.doubtful_object import DoubtfulObject
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.tasks import Task

__all__ = ["PaintedPart", "doubtful_now", "draw_checked", "rank_doubts"]

_MOST_LIVE = 200  # objects of a live prediction that are told of


def rank_doubts(job: DoubtJob, context: JobContext) -> dict[str, Any]:
    """Rank the objects of the last segmentation; see `DoubtJob`."""
    kept, model = SHELF.find(job.kept)
    task = with_thresholds(model, job.thresholds).task
    painted = None if job.labels is None else open_array(job.labels, context)
    steps = doubt_steps(kept, task, painted=painted, background=job.background)
    return {"doubtful": tuple(drive(steps, context))}


def draw_checked(job: CheckJob, context: JobContext) -> dict[str, Any]:
    """Draw objects of the last segmentation that are looked at; see `CheckJob`."""
    kept, model = SHELF.find(job.kept)
    task = with_thresholds(model, job.thresholds).task
    within = None if job.box is None else Box.from_spans(job.box)
    steps = doubt_steps(kept, task, most=sys.maxsize, look_for_missed=False, within=within)
    return {"places": tuple(draw_places(drive(steps, context), job.number, job.seed))}


class PaintedPart(NamedTuple):
    """What is painted on a part of an image.

    Attributes
    ----------
    labels
        In the shape of the labels of the part.
    background
        The number among them that means background.
    """

    labels: NDArray[Any]
    background: int | None


def doubtful_now(
    kept: KeptMaps, task: Task, painted: PaintedPart | None = None
) -> tuple[DoubtfulObject, ...]:
    """Rank the objects of a live prediction; none where its maps were not kept, or of classes."""
    if not kept.whole or not task.kind.separates_objects:
        return ()
    labels, background = (None, None) if painted is None else painted
    steps = doubt_steps(kept, task, painted=labels, background=background, most=_MOST_LIVE)
    return tuple(drained(steps))
