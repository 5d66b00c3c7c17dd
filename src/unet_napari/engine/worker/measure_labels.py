"""Measuring and comparing labels that are there already. Free of torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.worker.open_images import open_image
from unet_napari.errors import LabelsError
from unet_napari.evaluation.object_errors import ERROR_KINDS, find_errors
from unet_napari.evaluation.objects import Evaluation
from unet_napari.images import Image
from unet_napari.inference.progress import Progress
from unet_napari.labels.label_blocks import refuse_negative, whole_numbers
from unet_napari.labels.measure import measure_objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.engine.arrays import ArrayRef
    from unet_napari.engine.requests import CompareJob, MeasureJob
    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.evaluation.matching import Match

_COMPARED = 1 << 28  # pixels; both labels and what is wrong in them are held in memory

__all__ = ["judge_labels", "measure_labels"]


def measure_labels(job: MeasureJob, context: JobContext) -> dict[str, Any]:
    """Measure the objects of labels; see `MeasureJob`."""
    labels = open_image(job.labels, context)
    image = None if job.image is None else open_image(job.image, context)

    def tick(done: int, total: int) -> None:
        context.check()
        context.send(Progress(done, total, "measuring"))

    return {"table": measure_objects(labels, image, slicewise=job.slicewise, tick=tick)}


def judge_labels(job: CompareJob, context: JobContext) -> dict[str, Any]:
    """Compare labels with others that are right, time point by time point; see `CompareJob`."""
    true, predicted = open_image(job.true, context), open_image(job.predicted, context)
    if true.axes != predicted.axes or true.data.shape != predicted.data.shape:
        raise LabelsError(
            f"'{predicted.name}' has the shape {tuple(predicted.data.shape)}, but '{true.name}' "
            f"{tuple(true.data.shape)}: choose labels of the same image."
        )
    if math.prod(true.data.shape) > _COMPARED:
        raise LabelsError(
            f"Labels of more than {_COMPARED:,} pixels are not compared here: use unet-napari "
            "evaluate, or a part of the image."
        )
    outcome = _Comparison(true, predicted, context)
    for frame in range(true.frames):
        context.check()
        outcome.add(frame)
        context.send(Progress(frame + 1, true.frames, "comparing"))
    return outcome.result()


class _Comparison:
    """Gathers what is wrong in each time point."""

    def __init__(self, true: Image, predicted: Image, context: JobContext) -> None:
        self._labels = {"missed": true, "split": true, "extra": predicted, "merged": predicted}
        self._true, self._predicted, self._context = true, predicted, context
        self._matches: list[Match] = []
        self._layers: dict[str, tuple[ArrayRef, NDArray[Any]]] = {}
        self._places: dict[str, list[list[float]]] = {}

    def add(self, frame: int) -> None:
        """Compare one time point."""
        film = self._true.frames > 1
        held = {"T": frame} if film else {}
        both = [image.select(**held).read()[0] for image in (self._true, self._predicted)]
        for labels in both:
            if labels.size:
                refuse_negative(whole_numbers(labels))
        found, errors = find_errors(*map(whole_numbers, both))
        self._matches.append(found)
        for kind in ERROR_KINDS:
            ids = getattr(errors, kind)
            labels = both[self._labels[kind] is self._predicted]
            if ids.size:
                wrong = np.where(np.isin(labels, ids), labels, 0)
                self._layer(kind)[self._index(frame)] = wrong
                self._places.setdefault(kind, []).extend(
                    [float(frame) if axis == "T" else centre[axis] for axis in self._true.axes]
                    for centre in _centres(wrong, self._true.spatial_axes)
                )

    def result(self) -> dict[str, Any]:
        """Return the result of the job."""
        whole = Evaluation(tuple(self._matches))
        return {
            "scores": whole.scores(),
            "text": whole.describe(),
            "layers": {kind: reference for kind, (reference, _) in self._layers.items()},
            "places": self._places,
        }

    def _layer(self, kind: str) -> NDArray[Any]:
        if kind not in self._layers:
            shape = tuple(int(size) for size in self._true.data.shape)
            self._layers[kind] = self._context.allocate(shape, np.uint32)
        return self._layers[kind][1]

    def _index(self, frame: int) -> tuple[Any, ...]:
        film = self._true.frames > 1
        return tuple(
            frame if axis == "T" and film else 0 if axis == "T" else slice(None)
            for axis in self._true.axes
        )


def _centres(labels: NDArray[Any], axes: str) -> list[dict[str, float]]:
    """Return the centre of each object by axis, in the order of the numbers."""
    table = measure_objects(Image(labels, axes), properties=["centroid"])
    columns = [table[f"centroid-{number}"] for number in range(len(axes))]
    return [dict(zip(axes, place, strict=True)) for place in zip(*columns, strict=True)]
