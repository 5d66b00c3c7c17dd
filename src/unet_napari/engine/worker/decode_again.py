"""Labels with other thresholds, from the maps of the last segmentation, without its network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unet_napari.engine.worker.open_images import open_array
from unet_napari.engine.worker.segment_layers import count_labels, drive
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.geometry import Box
from unet_napari.inference.regions.picking import highest_label
from unet_napari.inference.threshold_fit import fit_to_paint
from unet_napari.inputs import with_thresholds
from unet_napari.labels.background import part_background
from unet_napari.second_round import store_thresholds
from unet_napari.system.device import available_memory

if TYPE_CHECKING:
    from unet_napari.engine.threshold_requests import DecodeJob, FitJob, KeepThresholdsJob
    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.images import LazyArray

__all__ = ["decode_again", "fit_painted", "keep_thresholds"]

_SHARE_OF_FREE = 0.25


def decode_again(job: DecodeJob, context: JobContext) -> dict[str, Any]:
    """Decode maps again; see `DecodeJob`."""
    kept, model = SHELF.find(job.kept)
    task = with_thresholds(model, job.thresholds).task
    if job.box is not None:
        found = kept.decode_box(task, Box.from_spans(job.box))
        reference, labels = context.allocate(found.shape, np.uint32)
        labels[...] = found
    else:
        reference, labels = context.allocate(kept.result_shape, np.uint32)
        memory = int(available_memory(torch.device("cpu")) * _SHARE_OF_FREE)
        drive(kept.decode(task, labels, memory), context)
    context.check()
    return {
        "labels": reference,
        "objects": count_labels(labels),
        "highest": highest_label(labels),
    }


def fit_painted(job: FitJob, context: JobContext) -> dict[str, Any]:
    """Fit thresholds to what was painted; see `FitJob`."""
    kept, model = SHELF.find(job.kept)
    labels: LazyArray = open_array(job.labels, context)
    complete = None if job.annotated is None else open_array(job.annotated, context)
    if job.background is not None:
        labels, complete = part_background(labels, complete, job.background)
    fit = fit_to_paint(kept, model.task, labels, complete)
    context.check()
    return {
        "thresholds": fit.thresholds,
        "count": fit.cells,
        "score_name": fit.score_name,
        "score": fit.score,
        "before": fit.before,
    }


def keep_thresholds(job: KeepThresholdsJob, context: JobContext) -> dict[str, Any]:
    """Store thresholds in a model file, in one step; see `KeepThresholdsJob`."""
    del context
    path = store_thresholds(job.model, job.thresholds, job.output, job.source)
    return {"model": str(path)}
