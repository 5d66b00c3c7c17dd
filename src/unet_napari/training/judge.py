"""Judging a network on what was held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.errors import warn_user
from unet_napari.system.device import is_out_of_memory, release_memory
from unet_napari.training.data.sample import Sample
from unet_napari.training.held_out import count_objects
from unet_napari.training.tiling import predict_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task

__all__ = ["Judge"]

_FEWEST_PIXELS = 2**12  # pixels; if these are too many at once, memory is short for other reasons
_NO_MEMORY = (
    "There is not enough memory to validate: training goes on without a score, and the last "
    "weights are kept. Close other programs, or hold out less."
)


class Judge:
    """Predicts what is held out and scores it.

    Parameters
    ----------
    samples
        What is held out; each is predicted once, and decoded as a whole.
    task
        Decodes and scores.
    device
        Device that the network is on.
    halo
        Pixels that a part is shown of its neighbours, where a sample is predicted in parts.
    most
        Pixels that may be predicted at once. They become fewer when memory runs out.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        task: Task,
        device: torch.device,
        *,
        halo: Sequence[int],
        most: int,
    ) -> None:
        self.samples = list(samples)
        self.task = self._untuned = task
        self.message = ""
        self._device, self._halo, self._most = device, halo, most

    def show(self, samples: Sequence[Sample]) -> None:
        """Judge by these samples from now on."""
        self.samples = list(samples)
        self.message = ""

    @property
    def pixels(self) -> int:
        """How many pixels are predicted each time."""
        return sum(sample.labels.size for sample in self.samples)

    @property
    def cells(self) -> int:
        """How many objects are judged; 0 if the task has none."""
        return count_objects(self.samples, self.task.name)

    def score(self, network: Network, enough: float | None) -> float | None:
        """Return the score of a network; None, and a `message`, if it cannot be judged.

        All networks are compared with the same, untuned decoding thresholds. One that is good
        `enough` to be kept gets thresholds of its own, tuned on the very same samples.

        Where memory does not suffice for that, nothing is judged any more, after a warning.
        """
        if not self.samples:
            return None
        try:
            score = self._score(network, enough)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            score = None
            self.samples = []
        if not self.samples:
            release_memory(self._device)
            warn_user(_NO_MEMORY, stacklevel=2)
            self.message = "no score: too little memory"
        elif score is None:
            self.message = f"no score: {self.task.kind.why_no_score(self.cells)}"
        return score

    def uncertainty(self, score: float) -> float:
        """Return how much of a score is chance; see `Task.uncertainty`."""
        return self.task.uncertainty(score, *self._truth())

    def _score(self, network: Network, enough: float | None) -> float | None:
        maps = [self._predict(network, sample) for sample in self.samples]
        labels, annotated = self._truth()
        decoded = [self._untuned.decode(each) for each in maps]
        score = self._untuned.score(decoded, labels, annotated)
        if score is not None and (enough is None or score >= enough):
            self.task = self._untuned.tuned(maps, labels, annotated)
        return score

    def _predict(self, network: Network, sample: Sample) -> NDArray[np.float32]:
        """Predict a sample, in smaller parts from now on where memory runs out."""
        while True:
            try:
                return predict_sample(
                    network, self._untuned, sample, self._device, halo=self._halo, most=self._most
                )
            except Exception as error:
                if not is_out_of_memory(error) or self._most <= _FEWEST_PIXELS:
                    raise
            release_memory(self._device)
            self._most = min(self._most, sample.labels.size) // 2

    def _truth(self) -> tuple[list[NDArray[np.integer]], list[NDArray[np.bool_]]]:
        return [s.labels for s in self.samples], [s.annotated for s in self.samples]
