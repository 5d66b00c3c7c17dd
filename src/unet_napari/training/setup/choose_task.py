"""The task of a training: from the labels, the settings and the model that it starts from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.tasks import CellsTask, Task, make_task
from unet_napari.tasks.criterion import frequency_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.sample import Sample

__all__ = ["choose_task"]


def choose_task(
    config: TrainConfig,
    samples: Sequence[Sample],
    training: Sequence[Sample],
    spacing: Sequence[float],
    start: Task | None,
) -> Task:
    """Return the task, with all that the settings leave open.

    Cells that start from a model of cells keep its task: the network's maps mean what they meant
    (`reach`), and what decodes them is better than nothing where the new labels are too few to fit
    it again. Only a `min_size` that would leave out painted cells is lowered.

    Parameters
    ----------
    config
        The settings; its ``task_options`` count more than anything else.
    samples
        All that was painted.
    training
        What of it is trained on.
    spacing
        Relative pixel size per axis.
    start
        Task of the model that training starts from.
    """
    if config.task == "cells":
        return _cells(config.task_options, training, spacing, start)
    counts: Counter[int] = Counter()
    for sample in samples:
        ids, pixels = np.unique(sample.labels[sample.annotated], return_counts=True)
        counts.update(dict(zip(ids.tolist(), pixels.tolist(), strict=True)))
    settings = {"name": config.task, "classes": sorted(counts), **config.task_options}
    criterion = settings.get("criterion")
    if isinstance(criterion, Mapping) and criterion.get("class_weights") == "frequency":
        weights = frequency_weights([counts[number] for number in settings["classes"]])
        settings["criterion"] = {**criterion, "class_weights": list(weights)}
    return make_task(settings)


def _cells(
    options: Mapping[str, Any],
    training: Sequence[Sample],
    spacing: Sequence[float],
    start: Task | None,
) -> Task:
    sizes = np.concatenate([np.zeros(0, int), *map(_whole_cells, training)])
    settings: dict[str, Any] = {"name": CellsTask.name}
    if isinstance(start, CellsTask):
        settings |= start.to_dict()
        if sizes.size and sizes.min() < start.min_size:
            settings["min_size"] = int(sizes.min()) // 2
    elif sizes.size:
        settings["min_size"] = max(CellsTask.min_size, _smallest(sizes))
    return make_task({**settings, "anisotropy": list(spacing), **options})


def _smallest(sizes: NDArray[np.integer]) -> int:
    """Return the size below which an object is hardly a cell, from those of painted cells.

    That is half the smallest, or three quarters of it where that is still less than a quarter of
    the median: the more cells vary, the nearer specks of dirt come to the smallest one.
    """
    smallest, usual = int(sizes.min()), float(np.median(sizes))
    return max(smallest // 2, int(min(0.75 * smallest, usual / 4)))


def _whole_cells(sample: Sample) -> NDArray[np.integer]:
    """Return the pixels of each cell that lies within the sample and is annotated as a whole."""
    ids, counts = np.unique(sample.labels, return_counts=True)
    seen, known = np.unique(sample.labels[sample.annotated], return_counts=True)
    whole = seen[known == counts[np.searchsorted(ids, seen)]]
    faces = [sample.labels.take(end, axis) for axis in range(sample.labels.ndim) for end in (0, -1)]
    cut = np.unique(np.concatenate([face.ravel() for face in faces]))
    kept = whole[(whole > 0) & ~np.isin(whole, cut)]
    return np.asarray(counts[np.searchsorted(ids, kept)])
