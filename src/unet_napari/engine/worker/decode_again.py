"""Labels with other thresholds, from the maps of the last segmentation, without its network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from unet_napari._version import __version__
from unet_napari.engine.worker.open_images import open_array
from unet_napari.engine.worker.segment_layers import count_labels, drive, highest_label
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.errors import LabelsError
from unet_napari.geometry import Box, bounding_box
from unet_napari.inputs import THRESHOLDS, with_thresholds
from unet_napari.labels.annotated import annotated_mask
from unet_napari.labels.background import part_background
from unet_napari.model.info import find_model
from unet_napari.model.model import Model
from unet_napari.system.device import available_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.engine.threshold_requests import DecodeJob, FitJob, KeepThresholdsJob
    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.images import LazyArray
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.tasks import Task

__all__ = ["decode_again", "fit_thresholds", "keep_thresholds"]

_SHARE_OF_FREE = 0.25
_MARGIN = 32  # pixels around what was painted, so that no cell is cut


class PaintedView(NamedTuple):
    """A part of one view: probabilities ``(K, *S)``, painted ids and annotated pixels ``(*S)``."""

    maps: NDArray[np.floating]
    labels: NDArray[np.integer]
    annotated: NDArray[np.bool_]


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


def fit_thresholds(job: FitJob, context: JobContext) -> dict[str, Any]:
    """Fit thresholds to what was painted; see `FitJob`."""
    kept, model = SHELF.find(job.kept)
    labels: LazyArray = open_array(job.labels, context)
    complete = None if job.annotated is None else open_array(job.annotated, context)
    if job.background is not None:
        labels, complete = part_background(labels, complete, job.background)
    painted = list(_painted(kept, model.task, labels, complete))
    maps = [view.maps for view in painted]
    truth, where = [view.labels for view in painted], [view.annotated for view in painted]
    before = model.task.score([model.task.decode(m) for m in maps], truth, where)
    cells = sum(np.unique(t[a & (t > 0)]).size for t, a in zip(truth, where, strict=True))
    if before is None:
        kind = model.task.kind
        raise LabelsError(
            f"Thresholds are fitted to at least {kind.nouns(kind.fewest_units)}, but only {cells} "
            "are painted: paint more of them, also where the model is wrong."
        )
    fitted = model.task.tuned(maps, truth, where)
    context.check()
    return {
        "thresholds": {name: getattr(fitted, name) for name in THRESHOLDS},
        "count": cells,
        "score_name": fitted.score_name,
        "score": fitted.score([fitted.decode(m) for m in maps], truth, where),
        "before": before,
    }


def _painted(
    kept: KeptMaps, task: Task, labels: LazyArray, complete: LazyArray | None
) -> Iterator[PaintedView]:
    """Yield maps, labels and annotated pixels of each view that something is painted in."""
    for position, index in kept.views():
        painted = np.asarray(labels[index] if index else labels[...])
        known = None if complete is None else np.asarray(complete[index or ...]) != 0
        box = bounding_box(painted != 0 if known is None else (painted != 0) | known)
        if box is None:
            continue
        box = box.grow(_MARGIN).clip(painted.shape)
        maps, axes = kept.maps_of_part(position, box)
        # Where the image was scaled for the network, the labels are scaled to its maps.
        scaled = tuple(
            np.searchsorted(places, np.arange(size)).clip(max=len(places) - 1)
            for places, size in zip(axes, maps.shape[1:], strict=True)
        )
        part = painted[box.to_slices()][np.ix_(*scaled)]
        region = None if known is None else known[box.to_slices()][np.ix_(*scaled)]
        spacing = getattr(task, "anisotropy", None) or None
        mask = annotated_mask(part, task=task.name, annotated=region, spacing=spacing)
        probabilities = maps.astype(np.float32) / 255
        yield PaintedView(probabilities, task.kind.compact_ids(part), mask)


def keep_thresholds(job: KeepThresholdsJob, context: JobContext) -> dict[str, Any]:
    """Store thresholds in a model file, in one step; see `KeepThresholdsJob`."""
    del context
    path = find_model(job.model)
    own = Model.load(path)
    model = with_thresholds(own, job.thresholds)
    record = {
        "values": {name: getattr(model.task, name) for name in THRESHOLDS},
        "before": {name: getattr(own.task, name) for name in THRESHOLDS},
        "unet-napari": __version__,
        **job.source,
    }
    if job.output is not None:
        path = Path(job.output)
        model = replace(model, name=path.stem)
    provenance = {**model.provenance, "thresholds": record}
    return {"model": str(replace(model, provenance=provenance).save(path))}
