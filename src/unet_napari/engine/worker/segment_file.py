"""Segmenting an image into a file; a run that was stopped or killed goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.engine.worker.job_context import Cancelled
from unet_napari.engine.worker.open_images import open_image
from unet_napari.engine.worker.segment_layers import (
    drive,
    findings,
    load_model,
    noting_plans,
    reading_of,
)
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.errors import noting_warnings
from unet_napari.images import open_output
from unet_napari.images.colours import fit_colours
from unet_napari.inference import InferenceConfig, result_axes, result_shape, segment_steps
from unet_napari.inference.results.recording import record_of
from unet_napari.inference.storage.unfinished import Unfinished
from unet_napari.inputs import with_thresholds
from unet_napari.model.info import find_model

if TYPE_CHECKING:
    from unet_napari.engine.requests import SegmentFileJob
    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.inference import PlanSummary

__all__ = ["segment_into_file"]


def segment_into_file(job: SegmentFileJob, context: JobContext) -> dict[str, Any]:
    """Segment an image into a file; see `SegmentFileJob`."""
    SHELF.clear()
    own = load_model(job.model)
    model = with_thresholds(own, job.thresholds)
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
    plans: list[PlanSummary] = []
    try:
        with noting_warnings() as notes, unfinished, file as labels:
            steps = segment_steps(image, model, labels, config, unfinished=unfinished)
            unfamiliar = drive(noting_plans(steps, plans), context)
            labels.record = record_of(
                image,
                own,
                config,
                output=path,
                thresholds=job.thresholds,
                model_file=find_model(job.model),
                plan=plans[-1] if plans else None,
                warnings=notes,
                reading=reading_of(image),
            )
            found = findings(image, model, labels, measured=job.measure, slicewise=config.slicewise)
            return {**found, "unfamiliar": unfamiliar}
    except Cancelled:
        return {"stopped": True, "kept": unfinished.folder.exists()}
