"""Segmenting an image, into arrays that the viewer shows meanwhile; the size of its objects."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.images import Measured, open_array, open_image
from unet_napari.engine.protocol import Output
from unet_napari.images import Image, Statistics
from unet_napari.inference import (
    InferenceConfig,
    estimate_diameter,
    result_shape,
    segment_steps,
)
from unet_napari.inference.attention import attention_maps, attention_names
from unet_napari.inputs import with_thresholds
from unet_napari.measure import measure
from unet_napari.model import Model
from unet_napari.model_info import find_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from unet_napari.engine.context import JobContext
    from unet_napari.engine.requests import DiameterJob, MeasureJob, SegmentJob
    from unet_napari.images import LazyArray
    from unet_napari.inference import Progress

__all__ = ["drive", "estimate", "findings", "load_model", "measure_labels", "segment"]

_COUNTED = 1 << 26  # voxels whose objects are counted; in more it would take noticeable time


def segment(job: SegmentJob, context: JobContext) -> dict[str, Any]:
    """Segment an image; see `SegmentJob`."""
    model = _prepare(job)
    image = open_image(job.image, context)
    config = InferenceConfig.from_dict(dict(job.config))
    if job.maps:
        config.check_unscaled()  # now rather than after the labels
    wanted = _inner(image, job.inner)
    labels, maps = _allocate(job, model, image, wanted, context)
    inner = () if job.inner is None else tuple(slice(start, stop) for start, stop in job.inner)
    if job.attention:  # first, as it may be refused
        gates = attention_maps(image, model, config)
        maps[-len(gates) :] = gates[:, *inner]
    count = len(model.task.map_names)
    probabilities = maps[:count] if job.maps else None
    if inner and job.maps:
        probabilities = np.zeros((count, *labels.shape), np.float32)
    steps = segment_steps(image, model, labels, config, provisional=not inner, maps=probabilities)
    unfamiliar = drive(steps, context)
    if inner and probabilities is not None:
        maps[:count] = probabilities[:, *inner]
    found = findings(wanted, model, labels[inner] if inner else labels, measured=job.measure)
    return {**found, "highest": _highest(labels), "unfamiliar": unfamiliar}


def _highest(labels: NDArray[np.uint32]) -> int:
    """Return the highest number, without a second array as large as the labels."""
    return max((int(part.max(initial=0)) for part in labels), default=0)


def _prepare(job: SegmentJob) -> Model:
    """Load the model, with the decoding and the brightness that the job asks for."""
    model = with_thresholds(load_model(job.model), job.thresholds)
    return _measured(model, job.statistics)


def _measured(model: Model, statistics: Mapping[str, Any] | None) -> Model:
    """Return a model that normalises by given statistics, if there are any."""
    if statistics is None:
        return model
    rule = Measured.of(model.normalisation, Statistics.from_dict(statistics))
    return replace(model, normalisation=rule)


def _allocate(
    job: SegmentJob, model: Model, image: Image, wanted: Image, context: JobContext
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Make room for the labels of an image and the maps of the wanted part; say where."""
    shape = result_shape(wanted)
    names = (*(model.task.map_names if job.maps else ()),
             *(attention_names(model) if job.attention else ()))  # fmt: skip
    reference, labels = context.allocate(result_shape(image), np.uint32)
    if not names:
        context.send(Output(reference))
        return labels, np.empty((0, *shape), np.float32)
    maps_reference, maps = context.allocate((len(names), *shape), np.float32)
    context.send(Output(reference, maps_reference, names))
    return labels, maps


def estimate(job: DiameterJob, context: JobContext) -> dict[str, Any]:
    """Estimate how large the objects of an image are; see `DiameterJob`."""
    image = open_image(job.image, context)
    config = InferenceConfig.from_dict(dict(job.config))
    model = _measured(load_model(job.model), job.statistics)
    return {"diameter": drive(estimate_diameter(image, model, config), context)}


def measure_labels(job: MeasureJob, context: JobContext) -> dict[str, Any]:
    """Measure the objects of labels; see `MeasureJob`."""
    image = open_image(job.image, context)
    return {"table": measure(image, open_array(job.labels, context))}


def drive(steps: Iterator[Progress], context: JobContext) -> Any:  # noqa: ANN401
    """Do the steps of an inference, unless the job is cancelled; return what they return."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            return end.value
        context.check()
        context.send(progress)


def findings(image: Image, model: Model, labels: LazyArray, *, measured: bool) -> dict[str, Any]:
    """Count the objects of one frame, and measure them if wanted."""
    cells = model.task.name == "cells" and image.frames == 1
    result: dict[str, Any] = {"objects": None}
    if cells and math.prod(labels.shape) <= _COUNTED:
        result["objects"] = int(np.count_nonzero(np.unique(np.asarray(labels[...]))))
    if measured and cells:
        result["table"] = measure(image, labels)
    return result


def _inner(image: Image, inner: tuple[tuple[int, int], ...] | None) -> Image:
    """Return the wanted part of an image, by reference to the same pixels."""
    if inner is None:
        return image
    parts = dict(zip(image.spatial_axes, inner, strict=True))
    index = tuple(slice(*parts.get(letter, (None, None))) for letter in image.axes)
    return replace(image, data=image.data[index])


def load_model(name_or_path: str) -> Model:
    """Load a model by its name or path; the one of the last job is still there."""
    path = find_model(name_or_path)
    status = path.stat()
    return _load_version(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _load_version(path: Path, _changed: int, _size: int) -> Model:
    """Load a model, unless it is the one that the last job used; its file names it."""
    return replace(Model.load(path), name=path.stem)
