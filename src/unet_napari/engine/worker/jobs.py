"""The jobs of the engine process; how a model is trained."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.engine.protocol import Saved
from unet_napari.engine.requests import (
    AugmentationJob,
    DiameterJob,
    MeasureJob,
    SegmentFileJob,
    SegmentJob,
    TrainJob,
)
from unet_napari.engine.threshold_requests import (
    DecodeJob,
    DoubtJob,
    FitJob,
    KeepThresholdsJob,
)
from unet_napari.engine.worker.decode_again import decode_again, fit_painted, keep_thresholds
from unet_napari.engine.worker.job_context import Cancelled
from unet_napari.engine.worker.live_preview import LivePreview
from unet_napari.engine.worker.measure_labels import measure_labels
from unet_napari.engine.worker.open_images import open_pair
from unet_napari.engine.worker.rank_doubts import rank_doubts
from unet_napari.engine.worker.segment_file import segment_into_file
from unet_napari.engine.worker.segment_layers import estimate, segment_into_layers
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.engine.worker.worker_warm_up import warm_up_worker
from unet_napari.model.schema import check_name
from unet_napari.system.atomic import check_output
from unet_napari.training import Finished, Step, TrainConfig, Trainer
from unet_napari.training.data.patch_sheet import augmented_examples
from unet_napari.training.keep import Keeper
from unet_napari.training.start.given import given_start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.model.model import Model

__all__ = ["RUNNERS", "warm_up_worker"]


def run_training(job: TrainJob, context: JobContext) -> dict[str, Any]:
    """Train a model; see `TrainJob`."""
    check_output(Path(job.output), overwrite=True)
    check_name(job.name)
    SHELF.clear()  # a training needs the memory
    pairs = [open_pair(reference, context) for reference in job.pairs]
    start_from = given_start(job.start_from)
    trainer = Trainer(pairs, TrainConfig.from_dict(job.config), start_from)
    preview = LivePreview(trainer, pairs[0].image, context)
    saved: Saved | None = None

    def save(model: Model) -> None:
        nonlocal saved
        saved = _save(model, trainer.verdict, job, context)

    keeper = Keeper(trainer, save)
    with closing(trainer.run()) as events:
        for event in events:
            keeper.update(event)
            if saved and isinstance(event, Finished):
                return saved.result(event.step, event.reason, stopped=False)
            context.send(event)
            if context.cancelled:
                break
            if isinstance(event, Step):
                preview.update(event.step)
    keeper.stop()
    if saved is None:
        raise Cancelled
    return saved.result(trainer.steps, "Stopped.", stopped=True)


def draw_augmentation(job: AugmentationJob, context: JobContext) -> dict[str, Any]:
    """Draw patches as training would see them; see `AugmentationJob`."""
    pairs = [open_pair(reference, context) for reference in job.pairs]
    picture = augmented_examples(pairs, TrainConfig.from_dict(job.config))
    reference, shared = context.allocate(picture.shape, picture.dtype)
    shared[...] = picture
    return {"picture": reference}


def _save(model: Model, verdict: str, job: TrainJob, context: JobContext) -> Saved:
    path = replace(model, name=job.name).save(job.output)
    about = model.provenance
    saved = Saved(str(path), about["score"], about["score_name"], about["step"], verdict)
    context.send(saved)
    return saved


RUNNERS: Mapping[type, Callable[[Any, JobContext], dict[str, Any]]] = {
    AugmentationJob: draw_augmentation,
    DecodeJob: decode_again,
    DiameterJob: estimate,
    DoubtJob: rank_doubts,
    FitJob: fit_painted,
    KeepThresholdsJob: keep_thresholds,
    MeasureJob: measure_labels,
    SegmentFileJob: segment_into_file,
    SegmentJob: segment_into_layers,
    TrainJob: run_training,
}
