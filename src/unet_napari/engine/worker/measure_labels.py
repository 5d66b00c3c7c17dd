"""Measuring labels that are there already. Free of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unet_napari.engine.worker.open_images import open_image
from unet_napari.inference.progress import Progress
from unet_napari.labels.measure import measure_objects

if TYPE_CHECKING:
    from unet_napari.engine.requests import MeasureJob
    from unet_napari.engine.worker.job_context import JobContext

__all__ = ["measure_labels"]


def measure_labels(job: MeasureJob, context: JobContext) -> dict[str, Any]:
    """Measure the objects of labels; see `MeasureJob`."""
    labels = open_image(job.labels, context)
    image = None if job.image is None else open_image(job.image, context)

    def tick(done: int, total: int) -> None:
        context.check()
        context.send(Progress(done, total, "measuring"))

    return {"table": measure_objects(labels, image, slicewise=job.slicewise, tick=tick)}
