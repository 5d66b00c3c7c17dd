"""What is told of the doubt in an image among others, from its kept maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unet_napari.errors import ResourceError
from unet_napari.inference.doubt.ranking import doubt_summary_steps

if TYPE_CHECKING:
    from collections.abc import Generator

    from unet_napari.inference.progress import Progress
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.tasks import Task

__all__ = ["doubt_facts_steps"]

_DIGITS = 4


def doubt_facts_steps(
    kept: KeptMaps | None, task: Task
) -> Generator[Progress, None, dict[str, Any]]:
    """Find out how far the objects of an image are to be doubted, step by step.

    Parameters
    ----------
    kept : KeptMaps or None
        Maps of its segmentation; without them, or where they are not whole, nothing is known.
    task : Task
        What the maps mean, with the thresholds that the labels were made with.

    Yields
    ------
    Progress

    Returns
    -------
    dict
        What is known, for JSON: ``familiarity``, ``doubt`` (the mean), ``worst`` (the largest),
        all from 0 to 1, and ``worst_at``: the pixel of the worst object in the labels.
    """
    facts: dict[str, Any] = {}
    if kept is None or not kept.whole:
        return facts
    if kept.familiarity is not None and kept.familiarity.degree is not None:
        facts["familiarity"] = round(kept.familiarity.degree, _DIGITS)
    if not task.kind.separates_objects:
        return facts
    try:
        summary = yield from doubt_summary_steps(kept, task)
    except ResourceError:  # the labels are worth more than what there is to say of them
        return facts
    if summary.worst is not None and summary.mean is not None:
        facts["doubt"] = round(summary.mean, _DIGITS)
        facts["worst"] = round(summary.worst.doubt, _DIGITS)
        facts["worst_at"] = list(summary.worst.point)
    return facts
