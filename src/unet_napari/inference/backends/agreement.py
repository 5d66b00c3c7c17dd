"""How much a compressed network changes what its model says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.errors import warn_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.tasks import Task

__all__ = ["Agreement", "measure_agreement", "warn_of_disagreement"]

# Below this share of pixels decided as in fp32 the user is warned.
_LEAST_AGREEMENT = 0.99


@dataclass(frozen=True)
class Agreement:
    """What is left of a model's decisions after compression.

    Attributes
    ----------
    same : float
        Share of the pixels that are decided alike, see `TaskKind.decisions`: as foreground or
        background, or as the same class.
    difference : float
        Largest difference of a probability.
    """

    same: float
    difference: float

    def describe(self) -> str:
        """Return ``"99.92 % of pixels as in fp32"``, rounded down."""
        return f"{np.floor(self.same * 1e4) / 100:.2f} % of pixels as in fp32"


@torch.inference_mode()
def measure_agreement(
    task: Task,
    reference: Iterable[Tensor],
    logits: Callable[[NDArray[np.float32]], Tensor],
    batches: Iterable[NDArray[np.float32]],
) -> Agreement:
    """Compare a compressed network with the one that it was made of.

    Parameters
    ----------
    task : Task
        Task that tells what the logits mean.
    reference : iterable of Tensor
        Logits (1, K, *S) of the uncompressed network, one for each batch.
    logits : callable
        The compressed network.
    batches : iterable of ndarray
        Normalised images (1, C, *S).
    """
    same = pixels = 0
    difference = 0.0
    for expected, batch in zip(reference, batches, strict=True):
        true, found = (task.activate(x)[0].cpu().numpy() for x in (expected, logits(batch)))
        decided, also = (task.kind.decisions(task.decode(maps)) for maps in (true, found))
        alike = decided == also
        same += int(alike.sum())
        pixels += alike.size
        difference = max(difference, float(np.abs(true - found).max()))
    return Agreement(same / pixels, difference)


def warn_of_disagreement(agreement: Agreement, precision: str) -> None:
    """Warn the user if fewer than 99 % of the pixels are decided as in fp32."""
    if agreement.same < _LEAST_AGREEMENT:
        warn_user(
            f"In {precision} the model decides only {agreement.describe()}. If that matters, "
            "choose the precision auto.",
            stacklevel=3,
        )
