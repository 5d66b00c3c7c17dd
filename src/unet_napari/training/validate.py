"""Judging a network on what was held out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.training.sample import Sample, focus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task

__all__ = ["Judge", "choose_crops", "predict_sample"]

_CROP = {2: 512, 3: 96}  # pixels per axis that go through the network at once
_MOST = {2: 2**21, 3: 3 * 2**20}  # pixels that are judged each time


class Judge:
    """Predicts the held-out crops and scores them.

    Parameters
    ----------
    samples
        What is held out.
    task
        Decodes and scores.
    device
        Where the network is.
    """

    def __init__(self, samples: Sequence[Sample], task: Task, device: torch.device) -> None:
        self.samples = samples
        self.task = self._untuned = task
        self._device = device

    def score(self, network: Network, enough: float | None) -> float | None:
        """Return the score of a network; None if it cannot be judged.

        All networks are compared with the same, untuned decoding thresholds. One that is good
        `enough` to be kept gets thresholds of its own, tuned on the very same crops.
        """
        maps = [predict_sample(network, self._untuned, s, self._device) for s in self.samples]
        labels, annotated = self._truth()
        decoded = [self._untuned.decode(each) for each in maps]
        score = self._untuned.score(decoded, labels, annotated)
        if score is not None and (enough is None or score >= enough):
            self.task = self._untuned.tuned(maps, labels, annotated)
        return score

    @property
    def cells(self) -> int:
        """How many cells are judged; 0 for classes."""
        if self.task.name != "cells":
            return 0
        return sum(_cell_count(sample) for sample in self.samples)

    def uncertainty(self, score: float) -> float:
        """Return how much of a score is chance; see `Task.uncertainty`."""
        return self.task.uncertainty(score, *self._truth())

    def _truth(self) -> tuple[list[NDArray[np.integer]], list[NDArray[np.bool_]]]:
        return [s.labels for s in self.samples], [s.annotated for s in self.samples]


def predict_sample(
    network: Network, task: Task, sample: Sample, device: torch.device
) -> NDArray[np.float32]:
    """Return the probability maps of a sample, shape (K, *S); the network is in eval mode."""
    image = sample.image
    if any(network.margin):
        rim = [(0, 0), *((margin, margin) for margin in network.margin)]
        image = np.pad(image, rim, mode="reflect" if min(image.shape[1:]) > 1 else "edge")
    with torch.inference_mode():
        batch = torch.from_numpy(np.ascontiguousarray(image))[None].to(device)
        maps = task.activate(network(batch))[0]
    return np.asarray(maps.float().cpu().numpy())


def choose_crops(
    samples: Sequence[Sample], spacing: Sequence[float], context: int, seed: int, *, cells: bool
) -> list[Sample]:
    """Cut what is held out into crops of a bounded size, and of a bounded number.

    Where there are more than can be judged each time, those with the most cells are taken: a score
    of ten cells says little. Crops of classes are chosen at random.

    Parameters
    ----------
    samples
        What is held out.
    spacing
        Relative pixel size per axis.
    context
        Pixels of image around a crop that the network sees besides.
    seed
        Of the choice where there are more than can be judged each time.
    cells
        Whether cells are judged; those that the cut goes through are left out, then.
    """
    ndim = len(spacing)
    margins = [round(context / step) for step in spacing]
    crops = []
    for sample in samples:
        box = _annotated_box(sample)
        parts = [
            [
                slice(start, min(start + size, side.stop))
                for start in range(side.start, side.stop, size)
            ]
            for side, size in zip(box, _even(box, _CROP[ndim]), strict=True)
        ]
        for region in itertools.product(*parts):
            crop = focus(sample, region, margins, cells=cells)
            if crop.annotated.any():
                crops.append(crop)
    chosen = [crops[number] for number in np.random.default_rng(seed).permutation(len(crops))]
    if cells:
        chosen.sort(key=_cell_count, reverse=True)
    sizes = np.cumsum([crop.labels.size for crop in chosen])
    return chosen[: max(1, int((sizes <= _MOST[ndim]).sum()))]


def _cell_count(crop: Sample) -> int:
    return np.unique(crop.labels[crop.annotated & (crop.labels > 0)]).size


def _annotated_box(sample: Sample) -> tuple[slice, ...]:
    box = []
    for axis in range(sample.annotated.ndim):
        others = tuple(other for other in range(sample.annotated.ndim) if other != axis)
        found = np.flatnonzero(sample.annotated.any(axis=others))
        box.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(box)


def _even(box: Sequence[slice], largest: int) -> list[int]:
    """Return the size of equal parts of each side that are not above `largest`."""
    sizes = []
    for side in box:
        length = side.stop - side.start
        sizes.append(math.ceil(length / math.ceil(length / largest)))
    return sizes
