"""The jobs of the engine process: train a model, segment an image, measure its objects."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.atomic import check_output
from unet_napari.engine.context import Cancelled
from unet_napari.engine.images import Measured, open_image, open_pair
from unet_napari.engine.preview import LivePreview
from unet_napari.engine.protocol import Saved
from unet_napari.engine.requests import DiameterJob, SegmentJob, TrainJob
from unet_napari.images import Statistics
from unet_napari.inference import (
    InferenceConfig,
    estimate_diameter,
    predict_steps,
    result_shape,
    segment_steps,
)
from unet_napari.model import Model
from unet_napari.model_info import find_model
from unet_napari.model_schema import check_name
from unet_napari.training import Finished, Step, TrainConfig, Trainer, Validated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from unet_napari.engine.context import JobContext
    from unet_napari.inference import Progress

__all__ = ["RUNNERS"]


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


def segment(job: SegmentJob, context: JobContext) -> dict[str, Any]:
    """Segment an image; see `SegmentJob`."""
    model = _model_for(job)
    image = open_image(job.image, context)
    config = InferenceConfig.from_dict(dict(job.config))
    shape = result_shape(image)
    reference, labels = context.allocate(shape, np.uint32)
    _drive(segment_steps(image, model, labels, config), context)
    if not job.maps:
        return {"labels": reference}
    map_names = model.task.map_names
    maps_reference, maps = context.allocate((len(map_names), *shape), np.float32)
    _drive(predict_steps(image, model, maps, config), context)
    return {"labels": reference, "maps": maps_reference, "map_names": map_names}


def estimate(job: DiameterJob, context: JobContext) -> dict[str, Any]:
    """Estimate how large the objects of an image are; see `DiameterJob`."""
    image = open_image(job.image, context)
    config = InferenceConfig.from_dict(dict(job.config))
    return {"diameter": _drive(estimate_diameter(image, _model_for(job), config), context)}


def _model_for(job: SegmentJob | DiameterJob) -> Model:
    """Load the model of a job, to normalise by the statistics that the job brings along."""
    model = _load_model(job.model)
    if job.statistics is None:
        return model
    rule = Measured.of(model.normalisation, Statistics.from_dict(job.statistics))
    return replace(model, normalisation=rule)


def _drive(steps: Iterator[Progress], context: JobContext) -> Any:  # noqa: ANN401
    """Do the steps of an inference, unless the job is cancelled; return what they return."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            return end.value
        context.check()
        context.send(progress)


def _save(trainer: Trainer, job: TrainJob, context: JobContext) -> Saved:
    model = replace(trainer.best_model(), name=job.name)
    path = model.save(job.output)
    provenance = model.provenance
    saved = Saved(str(path), provenance["score"], provenance["score_name"])
    context.send(saved)
    return saved


def _result(saved: Saved) -> dict[str, Any]:
    return {"model": saved.path, "score": saved.score, "score_name": saved.score_name}


def _load_model(name_or_path: str) -> Model:
    path = find_model(name_or_path)
    status = path.stat()
    return _load_version(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _load_version(path: Path, _changed: int, _size: int) -> Model:
    """Load a model, unless it is the one that the last job used."""
    return Model.load(path)


RUNNERS: Mapping[type, Callable[[Any, JobContext], dict[str, Any]]] = {
    DiameterJob: estimate,
    SegmentJob: segment,
    TrainJob: train,
}
