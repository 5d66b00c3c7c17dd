"""The weights that a training starts from: a candidate that new weights have to beat."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unet_napari.errors import warn_user
from unet_napari.evaluation.objects import evaluate
from unet_napari.system.device import is_out_of_memory, release_memory
from unet_napari.training.tiling import predict_sample

if TYPE_CHECKING:
    import torch

    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task
    from unet_napari.training.candidates.best import Kept
    from unet_napari.training.data.sample import Sample

__all__ = ["Incumbent", "margin"]

_IOU = 0.5
_ERRORS = 2.0  # standard errors of a difference
_ALIKE_SCORE = 0.9  # AP50 from which on painted cells agree with a model
_NO_MEMORY = (
    "There is not enough memory to compare what is learnt with the model that training started "
    "from: whatever is learnt is kept."
)


class Incumbent:
    """Decides whether what was learnt replaces the weights that the training started from.

    It is used where nothing is held out. New weights are then judged by the very labels that they
    were trained on, which flatters them, so that the doubt is in favour of the start: of n painted
    cells they must find more than chance explains, see `margin`. Weights with which none of what
    was painted is found have nothing to lose, and give way at once.

    Parameters
    ----------
    name
        The name of the model that training starts from.
    kept
        Weights of the start.
    samples
        All that was painted.
    device
        Device that the network is on.
    halo, most
        Arguments of a `Judge`.

    Attributes
    ----------
    stays
        Whether the start is the better choice, as far as the labels can tell.
    """

    def __init__(
        self,
        name: str,
        kept: Kept,
        samples: Sequence[Sample],
        device: torch.device,
        *,
        halo: Sequence[int],
        most: int,
    ) -> None:
        self.name, self.kept = name, kept
        self.stays = True
        self._samples, self._device = list(samples), device
        self._halo, self._most = halo, most
        self._score: float | None = None  # of the start
        self._cells = 0

    def show(self, samples: Sequence[Sample]) -> None:
        """Compare on these samples from now on."""
        self._samples, self._score, self._cells = list(samples), None, 0

    @property
    def fresh(self) -> bool:
        """Whether the start itself has to be compared first."""
        return self._score is None

    def snapshot(self) -> dict[str, Any]:
        """Return what decides, besides the samples."""
        return {"stays": self.stays, "score": self._score, "count": self._cells}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on after `snapshot`."""
        self.stays, self._score = bool(snapshot["stays"]), snapshot["score"]
        self._cells = int(snapshot["count"])

    @property
    def pixels(self) -> int:
        """How many pixels are predicted each time."""
        return sum(sample.labels.size for sample in self._samples)

    def compare(self, network: Network) -> None:
        """Look at the network of this moment; the first one must be the start itself."""
        if not self._samples:
            return
        try:
            score = self._agreement(network)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._samples, self.stays = [], False
            release_memory(self._device)
            warn_user(_NO_MEMORY, stacklevel=3)
            return
        if self._score is None:
            self._score = score
        self.stays = 0 < self._score >= score - margin(self._score, self._cells)

    def describe(self) -> str:
        """Return why the start stays, and what helps."""
        if self._cells and (self._score or 0) >= _ALIKE_SCORE:
            cells = "cell agrees" if self._cells == 1 else "cells agree"
            return f"the {self._cells} painted {cells} with {self.name} already: segment with it"
        return (
            f"what is painted cannot show that the training made {self.name} better, so that its "
            "weights stay: paint more, where it is wrong"
        )

    def _agreement(self, network: Network) -> float:
        """Return AP50 of the painted cells, however few, or the mean Dice of the classes."""
        task: Task = self.kept.task
        found = [
            task.decode(
                predict_sample(network, task, s, self._device, halo=self._halo, most=self._most)
            )
            for s in self._samples
        ]
        labels, annotated = (
            [s.labels for s in self._samples],
            [s.annotated for s in self._samples],
        )
        if not task.kind.separates_objects:
            return task.score(found, labels, annotated) or 0.0
        result = evaluate(labels, found, annotated)
        self._cells = result.true_count
        return result.average_precision(_IOU)


def margin(score: float, cells: int) -> float:
    """Return by how much new weights must be better than a start, judged by their own labels.

    Parameters
    ----------
    score
        The score of the start, 0 to 1.
    cells
        Number of cells that judge; 0 for classes, whose pixels resemble each other too much to
        count.

    Returns
    -------
    float
        For n cells it is twice the standard error of the difference of two shares, estimated with
        two cells more, one of them found (Agresti & Caffo 2000,
        doi:10.1080/00031305.2000.10474560),
        so that 10 of 10 is no certainty. Of classes, half of what is wrong.
    """
    if not cells:
        return (1 - score) / 2
    share = (score * cells + 1) / (cells + 2)
    return _ERRORS * math.sqrt(2 * share * (1 - share) / (cells + 2))
