"""Comparing labels with others that are right. Free of torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from unet_napari.engine.worker.open_images import open_image
from unet_napari.errors import LabelsError
from unet_napari.evaluation.difference import RIVAL_KINDS, difference, right_in_one
from unet_napari.evaluation.matching import Match, match
from unet_napari.evaluation.object_errors import ERROR_KINDS, find_errors
from unet_napari.evaluation.objects import Evaluation
from unet_napari.images import Image
from unet_napari.inference.progress import Progress
from unet_napari.labels.label_blocks import refuse_negative, whole_numbers
from unet_napari.labels.measure import measure_objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.engine.arrays import ArrayRef
    from unet_napari.engine.requests import CompareJob
    from unet_napari.engine.worker.job_context import JobContext

    #: The overlaps with each result; kinds of objects, the labels they are in, and their numbers.
    _Judged: TypeAlias = tuple[list[Match], list[tuple[str, NDArray[Any], NDArray[Any]]]]

_COMPARED = 1 << 28  # pixels; both labels and what is wrong in them are held in memory

__all__ = ["judge_labels"]


def judge_labels(job: CompareJob, context: JobContext) -> dict[str, Any]:
    """Compare labels with others that are right, time point by time point; see `CompareJob`."""
    true = open_image(job.true, context)
    results = [open_image(x, context) for x in (job.predicted, job.rival) if x is not None]
    for found in results:
        if true.axes != found.axes or true.data.shape != found.data.shape:
            raise LabelsError(
                f"'{found.name}' has the shape {tuple(found.data.shape)}, but '{true.name}' "
                f"{tuple(true.data.shape)}: choose labels of the same image."
            )
    if math.prod(true.data.shape) > _COMPARED:
        raise LabelsError(
            f"Labels of more than {_COMPARED:,} pixels are not compared here: use unet-napari "
            "evaluate, or a part of the image."
        )
    outcome = _Comparison(true, results, context)
    for frame in range(true.frames):
        context.check()
        outcome.add(frame)
        context.send(Progress(frame + 1, true.frames, "comparing"))
    return outcome.result()


class _Comparison:
    """Gathers in each time point what is wrong, or what only one of two results has right."""

    def __init__(self, true: Image, results: list[Image], context: JobContext) -> None:
        self._true, self._results, self._context = true, results, context
        self._matches: list[list[Match]] = [[] for _ in results]
        self._judge = _errors if len(results) == 1 else _rivals
        self._layers: dict[str, tuple[ArrayRef, NDArray[Any]]] = {}
        self._places: dict[str, list[list[float]]] = {}

    def add(self, frame: int) -> None:
        """Compare one time point."""
        film = self._true.frames > 1
        held = {"T": frame} if film else {}
        read = [image.select(**held).read()[0] for image in (self._true, *self._results)]
        for labels in read:
            if labels.size:
                refuse_negative(whole_numbers(labels))
        overlaps, shown = self._judge(*map(whole_numbers, read))
        for matches, found in zip(self._matches, overlaps, strict=True):
            matches.append(found)
        for kind, labels, ids in shown:
            if ids.size:
                wrong = np.where(np.isin(labels, ids), labels, 0)
                self._layer(kind)[self._index(frame)] = wrong
                self._places.setdefault(kind, []).extend(
                    [float(frame) if axis == "T" else centre[axis] for axis in self._true.axes]
                    for centre in _centres(wrong, self._true.spatial_axes)
                )

    def result(self) -> dict[str, Any]:
        """Return the result of the job."""
        whole = Evaluation(tuple(self._matches[0]))
        sentence = {}
        if len(self._results) > 1:
            names = [image.name for image in self._results]
            sentence = {"difference": difference(*self._matches).describe(*names)}
        return sentence | {
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


def _errors(true: NDArray[Any], found: NDArray[Any]) -> _Judged:
    """Return what is wrong in a result."""
    overlaps, errors = find_errors(true, found)
    ids = ((kind, getattr(errors, kind)) for kind in ERROR_KINDS)
    return [overlaps], [(k, true if k in ("missed", "split") else found, i) for k, i in ids]


def _rivals(true: NDArray[Any], first: NDArray[Any], second: NDArray[Any]) -> _Judged:
    """Return what only one of two results has right."""
    overlaps = [match(true, first), match(true, second)]
    ids = np.unique(true)
    right = zip(RIVAL_KINDS, right_in_one(*overlaps), strict=True)
    return overlaps, [(kind, true, ids[ids != 0][which]) for kind, which in right]


def _centres(labels: NDArray[Any], axes: str) -> list[dict[str, float]]:
    """Return the centre of each object by axis, in the order of the numbers."""
    table = measure_objects(Image(labels, axes), properties=["centroid"])
    columns = [table[f"centroid-{number}"] for number in range(len(axes))]
    return [dict(zip(axes, place, strict=True)) for place in zip(*columns, strict=True)]
