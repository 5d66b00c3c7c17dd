"""The jobs of the engine process; how a model is trained."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.atomic import check_output
from unet_napari.engine.context import Cancelled
from unet_napari.engine.images import open_pair
from unet_napari.engine.preview import LivePreview
from unet_napari.engine.protocol import Saved
from unet_napari.engine.requests import (
    AugmentationJob,
    DiameterJob,
    SegmentFileJob,
    SegmentJob,
    TrainJob,
)
from unet_napari.engine.segment import estimate, segment
from unet_napari.engine.segment_file import segment_into_file
from unet_napari.engine.warm_up import warm_up
from unet_napari.model import Model
from unet_napari.model_schema import check_name
from unet_napari.training import Finished, Step, TrainConfig, Trainer, Validated
from unet_napari.training.picture import augmented_examples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unet_napari.engine.context import JobContext

__all__ = ["RUNNERS", "warm_up"]


def train(job: TrainJob, context: JobContext) -> dict[str, Any]:
    """Train a model; see `TrainJob`. It is saved whenever it has got better."""
    check_output(Path(job.output))
    check_name(job.name)
    pairs = [open_pair(reference, context) for reference in job.pairs]
    start_from = None if job.start_from is None else Model.load(job.start_from)
    trainer = Trainer(pairs, TrainConfig.from_dict(job.config), start_from)
    preview = LivePreview(trainer, pairs[0].image, context)
    saved: Saved | None = None
    judged = False
    with closing(trainer.run()) as events:
        for event in events:
            if isinstance(event, Finished):
                saved = _save(trainer, job, context)
                return _result(saved) | {"stopped": False, "reason": event.reason}
            if isinstance(event, Step) and saved is None:
                saved = _save(
                    trainer, job, context
                )  # from now on Stop finds a model, come what may
            context.send(event)
            if isinstance(event, Validated) and event.best and event.score is not None:
                saved = _save(trainer, job, context)
                judged = True
            if context.cancelled:
                break
            if isinstance(event, Step):
                preview.update(event.step)
    if saved is None:
        raise Cancelled
    if not judged:  # else what was saved on the way is the best model
        saved = _save(trainer, job, context)
    return _result(saved) | {"stopped": True, "reason": "Stopped."}


def draw_augmentation(job: AugmentationJob, context: JobContext) -> dict[str, Any]:
    """Draw patches as training would see them; see `AugmentationJob`."""
    pairs = [open_pair(reference, context) for reference in job.pairs]
    picture = augmented_examples(pairs, TrainConfig.from_dict(job.config))
    reference, shared = context.allocate(picture.shape, picture.dtype)
    shared[...] = picture
    return {"picture": reference}


def _save(trainer: Trainer, job: TrainJob, context: JobContext) -> Saved:
    model = replace(trainer.best_model(), name=job.name)
    path = model.save(job.output)
    provenance = model.provenance
    saved = Saved(str(path), provenance["score"], provenance["score_name"])
    context.send(saved)
    return saved


def _result(saved: Saved) -> dict[str, Any]:
    return {"model": saved.path, "score": saved.score, "score_name": saved.score_name}


RUNNERS: Mapping[type, Callable[[Any, JobContext], dict[str, Any]]] = {
    AugmentationJob: draw_augmentation,
    DiameterJob: estimate,
    SegmentFileJob: segment_into_file,
    SegmentJob: segment,
    TrainJob: train,
}
