"""Measuring the objects of labels that are there already. Free of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unet_napari.engine.worker.open_images import open_array, open_image
from unet_napari.labels.measure import measure

if TYPE_CHECKING:
    from unet_napari.engine.requests import MeasureJob
    from unet_napari.engine.worker.job_context import JobContext

__all__ = ["measure_labels"]


def measure_labels(job: MeasureJob, context: JobContext) -> dict[str, Any]:
    """Measure the objects of labels; see `MeasureJob`."""
    image = open_image(job.image, context)
    return {"table": measure(image, open_array(job.labels, context))}
