"""The ways to make objects of the maps of a head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from heads import Labels, Maps
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from unet_napari.tasks import CellsTask

Decoder = Callable[[CellsTask, Maps], Labels]


def as_shipped(task: CellsTask, maps: Maps) -> Labels:
    """Seeds of high inside, the watershed that ships."""
    return task.decode(maps)


def with_seeds(level: float) -> Decoder:
    """Return the usual decoder with another threshold of the seeds."""
    return lambda task, maps: replace(task, seed_threshold=level).decode(maps)


def regrown(task: CellsTask, maps: Maps) -> Labels:
    """Components of high inside; other pixels of the foreground go to the nearest."""
    mask, seeds = _seeds(task, maps)
    _, nearest = ndimage.distance_transform_edt(seeds == 0, return_indices=True)
    return _clean(np.where(mask, seeds[tuple(nearest)], 0), task)


def on_shape(task: CellsTask, maps: Maps) -> Labels:
    """Take the same seeds, watershed of the distance to the edge of the foreground."""
    mask, seeds = _seeds(task, maps)
    return _clean(watershed(-ndimage.distance_transform_edt(mask), seeds, mask=mask), task)


def on_distance(level: float, *, relief: int = -1) -> Decoder:
    """Seeds where the predicted distance is above `level`, watershed of a map (the distance)."""

    def decode(task: CellsTask, maps: Maps) -> Labels:
        mask = maps[0] > task.foreground_threshold
        seeds, _ = ndimage.label((maps[-1] > level) & mask)
        ground = maps[1] if relief == 1 else -maps[-1]
        return _clean(watershed(ground, seeds, mask=mask), task)

    return decode


def by_votes(task: CellsTask, maps: Maps) -> Labels:
    """Every pixel votes for the middle of its cell; crowded places are cells."""
    mask = maps[0] > task.foreground_threshold
    place = np.stack(np.nonzero(mask))
    target = np.rint(place + 16 * maps[1:, *place]).astype(int)
    target = np.clip(target, 0, np.array(mask.shape)[:, None] - 1)
    votes = np.zeros(mask.shape)
    np.add.at(votes, tuple(target), 1)
    crowd, _ = ndimage.label(ndimage.gaussian_filter(votes, 1) > 1.5)
    if not crowd.any():
        return np.zeros(mask.shape, np.uint32)
    _, nearest = ndimage.distance_transform_edt(crowd == 0, return_indices=True)
    labels = np.zeros(mask.shape, int)
    labels[tuple(place)] = crowd[tuple(nearest[:, *target])]
    return _clean(labels, task)


def _seeds(task: CellsTask, maps: Maps) -> tuple[NDArray[np.bool_], Labels]:
    mask = maps[0] > task.foreground_threshold
    seeds, count = ndimage.label((maps[0] * (1 - maps[1]) > task.seed_threshold) & mask)
    return (mask if count else np.zeros_like(mask)), seeds


def _clean(labels: Labels, task: CellsTask) -> Labels:
    kept = np.bincount(labels.ravel()) >= task.min_size
    kept[0] = False
    return np.where(kept[labels], labels, 0)
