"""What a worker does with one region: read it, run the network, keep what decoding needs."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.cluster.job import RegionJob
from unet_napari.cluster.shared_arrays import SharedArray, written_here
from unet_napari.errors import without_warnings
from unet_napari.images import Image
from unet_napari.inference.backends.device_choice import choose_device
from unet_napari.inference.running.places import Plane, Sink
from unet_napari.inference.running.predictor import Predictor
from unet_napari.inference.storage.unfinished import REGIONS
from unet_napari.system.heap import keep_freed_memory

if TYPE_CHECKING:
    from unet_napari.tasks.decoding.blocks import BoxTarget

__all__ = ["finished_regions", "mark_of", "predict_region"]


def predict_region(
    folder: Path, token: str, maps: SharedArray, plane: int | None, view: int, region: int
) -> list[int] | None:
    """Predict one region of a view, and mark it as finished.

    Parameters
    ----------
    folder, token
        See `RegionJob.opened`.
    maps
        Packed maps of the view, ``(P, *S)``, or of the stack that it is a slice of.
    plane
        Number of the slice; None where the maps are those of the view alone.
    view, region
        Their numbers.

    Returns
    -------
    list of int or None
        Facts for the familiarity of the image, see `Familiarity.facts`.
    """
    job = RegionJob.opened(folder, token)
    box = job.cut.boxes[region]
    outer = job.cut.outer(box)
    task = job.prepared.model.task
    seen = job.seen(view)
    part = Image(seen.read(outer.to_slices()), "C" + seen.spatial_axes, name=seen.name)
    packed = np.empty((task.packed_maps, *outer.shape), task.packed_dtype)
    statistics = job.scale.of(job.views[view].image)
    with keep_freed_memory(), without_warnings():
        predictor = _predictor(job, outer.shape, threading.get_ident())
        for _ in predictor.run(part, statistics, Sink(packed, task)):
            pass
    core = packed[(slice(None), *box.to_slices(outer))]
    place: BoxTarget = maps if plane is None else Plane(maps, plane)
    place[(slice(None), *box.to_slices())] = core
    familiarity = task.familiarity()
    facts = None
    if familiarity is not None:
        familiarity.see(core)
        facts = familiarity.facts
    _mark(mark_of(folder, view, region), facts)
    return facts


@lru_cache(maxsize=8)
def _predictor(job: RegionJob, shape: tuple[int, ...], thread: int) -> Predictor:
    """Return what predicts regions of a shape; each thread has its own."""
    del thread
    config = job.config
    if choose_device(config.device, len(shape)).type == "cpu":  # a GPU has memory of its own
        config = replace(config, memory=job.memory)
    return Predictor(job.prepared, shape, config)


def mark_of(folder: Path, view: int, region: int) -> Path:
    """Return the file that is there when the maps of a region are."""
    return folder / REGIONS / f"{view}-{region}.json"


def finished_regions(folder: Path) -> dict[tuple[int, int], list[int] | None]:
    """Return the regions that are finished, with what `predict_region` returned of each."""
    finished = {}
    for mark in (folder / REGIONS).glob("*-*.json"):
        view, region = map(int, mark.stem.split("-"))
        finished[view, region] = json.loads(mark.read_bytes())
    return finished


def _mark(mark: Path, facts: list[int] | None) -> None:
    """Write the mark in one step: another worker may do the same, as a region may be done twice."""
    own = mark.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    with written_here(mark):
        own.write_text(json.dumps(facts))
        own.replace(mark)
