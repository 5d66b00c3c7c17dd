"""Segmenting an image into a file; a run that was stopped or killed goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.engine.worker.job_context import Cancelled
from unet_napari.engine.worker.open_images import open_image
from unet_napari.engine.worker.segment_layers import drive, findings, load_model
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.images import open_output
from unet_napari.images.colours import fit_colours
from unet_napari.inference import InferenceConfig, result_axes, result_shape, segment_steps
from unet_napari.inference.storage.unfinished import Unfinished
from unet_napari.inputs import with_thresholds

if TYPE_CHECKING:
    from unet_napari.engine.requests import SegmentFileJob
    from unet_napari.engine.worker.job_context import JobContext

__all__ = ["segment_into_file"]


def segment_into_file(job: SegmentFileJob, context: JobContext) -> dict[str, Any]:
    """Segment an image into a file; see `SegmentFileJob`."""
    SHELF.clear()
    model = with_thresholds(load_model(job.model), job.thresholds)
    image = fit_colours(open_image(job.image, context), model.channels)
    config = InferenceConfig.from_dict(dict(job.config))
    path = Path(job.output)
    file = open_output(
        path,
        shape=result_shape(image),
        dtype="uint32",
        axes=result_axes(image),
        pixel_size=image.pixel_size,
        labels=True,
    )
    unfinished = Unfinished(path)
    try:
        with unfinished, file as labels:
            steps = segment_steps(image, model, labels, config, unfinished=unfinished)
            unfamiliar = drive(steps, context)
            found = findings(image, model, labels, measured=job.measure)
            return {**found, "unfamiliar": unfamiliar}
    except Cancelled:
        return {"stopped": True, "kept": unfinished.folder.exists()}
