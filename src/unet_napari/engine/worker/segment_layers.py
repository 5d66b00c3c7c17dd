"""Segmenting an image, into arrays that the viewer shows meanwhile; the size of its objects."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.protocol import ArraysReady
from unet_napari.engine.worker.open_images import open_image
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.errors import UnetNapariError, without_warnings
from unet_napari.geometry import Box
from unet_napari.images import Image, Statistics, read_image
from unet_napari.images.colours import fit_colours
from unet_napari.inference import (
    InferenceConfig,
    diameter_steps,
    result_shape,
    segment_steps,
)
from unet_napari.inference.attention_maps import attention_names, gate_maps
from unet_napari.inference.doubt.found_facts import doubt_facts_steps
from unet_napari.inference.regions.picking import highest_label
from unet_napari.inference.regions.placed import place_region
from unet_napari.inference.regions.region import ImageRegion
from unet_napari.inference.regions.region_run import FoundInRegion, region_steps
from unet_napari.inference.regions.writing import ShiftedArray
from unet_napari.inference.results.recording import record_of
from unet_napari.inputs import with_thresholds
from unet_napari.labels.label_axes import labels_on
from unet_napari.labels.measure import measure_objects
from unet_napari.labels.sparse import SparseArray
from unet_napari.model.info import find_model
from unet_napari.model.model import Model

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from unet_napari.engine.region_requests import SegmentRegionJob
    from unet_napari.engine.requests import DiameterJob, SegmentJob
    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.images import LazyArray
    from unet_napari.inference import PlanSummary, Progress

__all__ = [
    "count_labels",
    "drive",
    "estimate",
    "findings",
    "load_model",
    "noting_plans",
    "reading_of",
    "segment_into_layers",
    "segment_region",
]

_COPIED_AT_ONCE = 1 << 22  # voxels of the labels of a region
_COUNTED_VOXELS = 1 << 26  # voxels whose objects are counted; in more it would take noticeable time


def segment_into_layers(job: SegmentJob, context: JobContext) -> dict[str, Any]:
    """Segment an image; see `SegmentJob`."""
    own = load_model(job.model)
    model = with_thresholds(own, job.thresholds)
    statistics = _statistics(job)
    image = fit_colours(open_image(job.image, context), model.channels)
    config = InferenceConfig.from_dict(dict(job.config))
    if job.maps:
        config.check_unscaled()  # now rather than after the labels
    wanted = _inner(image, job.inner)
    labels, maps = _allocate(job, model, image if job.around else wanted, wanted, context)
    inner = () if job.inner is None else tuple(slice(start, stop) for start, stop in job.inner)
    if job.attention:  # first, as it may be refused
        gates = gate_maps(image, model, config, statistics=statistics)
        maps[-len(gates) :] = gates[:, *inner]
    count = len(model.task.map_names)
    plans: list[PlanSummary] = []
    with SHELF.filling(own) as kept:
        options: dict[str, Any] = {"statistics": statistics, "kept": kept}
        if inner:
            whole = labels if job.around else np.zeros(result_shape(image), labels.dtype)
            probabilities = np.zeros((count, *whole.shape), np.float32) if job.maps else None
            steps = segment_steps(image, model, whole, config, maps=probabilities, **options)
            unfamiliar = drive(steps, context)
            if not job.around:
                labels[...] = whole[inner]
            if probabilities is not None:
                maps[:count] = probabilities[:, *inner]
        else:
            wished = maps[:count] if job.maps else None
            steps = segment_steps(
                image, model, labels, config, provisional=True, maps=wished, **options
            )
            unfamiliar = drive(noting_plans(steps, plans), context)
    seen = labels[inner] if job.around else labels
    found = findings(wanted, model, seen, measured=job.measure, slicewise=config.slicewise)
    found |= {"unfamiliar": unfamiliar, "kept": SHELF.number}
    if job.result_file is not None:
        result = Path(job.result_file)
        found["record"] = _record(job, image, own, result, plans, found["objects"])
    if job.doubt:
        found["doubt"] = drive(doubt_facts_steps(kept, model.task), context)
    highest = highest_label(labels)
    return found if highest == found["objects"] else {**found, "highest": highest}


def _record(
    job: SegmentJob,
    image: Image,
    own: Model,
    output: Path,
    plans: list[PlanSummary],
    objects: int | None,
) -> dict[str, Any]:
    """Return the record of a result that a client is going to save."""
    return record_of(
        image,
        own,
        InferenceConfig.from_dict(dict(job.config)),
        output=output,
        thresholds=job.thresholds,
        model_file=find_model(job.model),
        plan=plans[-1] if plans else None,
        reading=reading_of(image),
        found={"objects": objects, "doubted": False},
    ).to_dict()


def segment_region(job: SegmentRegionJob, context: JobContext) -> dict[str, Any]:
    """Segment a region of an image; see `SegmentRegionJob`."""
    model = with_thresholds(load_model(job.model), job.thresholds)
    image = fit_colours(open_image(job.image, context), model.channels)
    config = InferenceConfig.from_dict(dict(job.config))
    if job.maps:
        config.check_unscaled()
    mask = None if job.mask is None else context.open(job.mask)
    region = place_region(
        ImageRegion.parse(job.region) if mask is None else ImageRegion.of(mask), image
    )
    # Of a large image only the surroundings of the region take room.
    out, around = SparseArray(result_shape(image), np.uint32), Box.around(region.pieces)
    names, maps_reference, maps = model.task.map_names if job.maps else (), None, None
    if names:
        maps_reference, values = context.allocate((len(names), *around.shape), np.float32)
        maps = ShiftedArray(values, (0, *around.start))
    found: FoundInRegion = drive(
        region_steps(image, model, region, out, config, maps=maps), context
    )
    windows = [box.prepend(index) for index, box in found.windows]
    where = Box.around(windows) if windows else around
    reference, labels = context.allocate(where.shape, np.uint32)
    for slab in where.slabs_of(_COPIED_AT_ONCE):
        labels[slab.to_slices(where)] = out[slab.to_slices()]
    context.send(ArraysReady(reference, maps_reference, names))
    return {
        "objects": found.objects,
        "highest": found.highest,
        "unfamiliar": found.unfamiliar,
        "windows": [(index, box.spans) for index, box in found.windows],
        "start": where.start,
        "maps_start": around.start,
    }


def _statistics(job: SegmentJob | DiameterJob) -> Statistics | None:
    """Return the brightness of the whole of which the image is a part, if the job tells it."""
    return None if job.statistics is None else Statistics.from_dict(job.statistics)


def _allocate(
    job: SegmentJob, model: Model, labelled: Image, wanted: Image, context: JobContext
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Make room for the labels of one image and the maps of another; tell the client where."""
    shape = result_shape(wanted)
    names = (*(model.task.map_names if job.maps else ()),
             *(attention_names(model) if job.attention else ()))  # fmt: skip
    reference, labels = context.allocate(result_shape(labelled), np.uint32)
    if not names:
        context.send(ArraysReady(reference))
        return labels, np.empty((0, *shape), np.float32)
    maps_reference, maps = context.allocate((len(names), *shape), np.float32)
    context.send(ArraysReady(reference, maps_reference, names))
    return labels, maps


def estimate(job: DiameterJob, context: JobContext) -> dict[str, Any]:
    """Estimate how large the objects of an image are; see `DiameterJob`."""
    config = InferenceConfig.from_dict(dict(job.config))
    model = load_model(job.model)
    image = fit_colours(open_image(job.image, context), model.channels)
    steps = diameter_steps(image, model, config, statistics=_statistics(job))
    return {"diameter": drive(steps, context)}


def drive(steps: Iterator[Progress], context: JobContext) -> Any:  # noqa: ANN401
    """Do the steps of an inference, unless the job is cancelled; return what they return."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            return end.value
        context.check()
        context.send(progress)


def findings(
    image: Image, model: Model, labels: LazyArray, *, measured: bool, slicewise: bool = False
) -> dict[str, Any]:
    """Count the objects of one frame, and measure those of all frames if wanted."""
    separate = model.task.kind.separates_objects
    result: dict[str, Any] = {"objects": None}
    if separate and image.frames == 1:
        result["objects"] = count_labels(labels)
    if measured and separate:
        result["table"] = measure_objects(labels_on(image, labels), image, slicewise=slicewise)
    return result


def count_labels(labels: LazyArray) -> int | None:
    """Return the number of labels that are not 0; None where counting would take long."""
    if math.prod(labels.shape) > _COUNTED_VOXELS:
        return None
    return int(np.count_nonzero(np.unique(np.asarray(labels[...]))))


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


def noting_plans(
    steps: Iterator[Progress], plans: list[PlanSummary]
) -> Generator[Progress, None, Any]:
    """Yield the steps of an inference, note its plans, and return what it returns."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        if step.plan is not None:
            plans.append(step.plan)
        yield step


def reading_of(image: Image) -> dict[str, Any]:
    """Return what has to be said when the file of an image is read: axes, channel."""
    reading: dict[str, Any] = {"channel": image.fixed.get("C")}
    if image.source is not None:
        with suppress(UnetNapariError, OSError), without_warnings():
            found = read_image(image.source)
            if found.axes != image.axes and len(found.axes) == len(image.axes):
                reading["axes"] = image.axes
    return reading
