"""Steps of a training, with fewer patches where the memory does not suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari.errors import ResourceError, warn_user
from unet_napari.system.device import is_out_of_memory, release_memory

if TYPE_CHECKING:
    import torch

    from unet_napari.training.data.patches import PatchSampler
    from unet_napari.training.learner import Learner

__all__ = ["Stepper"]


class Stepper:
    """Makes steps.

    Parameters
    ----------
    learner
        What learns.
    sampler
        Sampler that makes the batches.
    batch
        Patches in a step.
    device
        Device on which the network learns.
    least
        The fewest patches in a step: one for each device.

    Attributes
    ----------
    batch
        Patches in a step; fewer once the memory did not suffice.
    """

    def __init__(
        self,
        learner: Learner,
        sampler: PatchSampler,
        batch: int,
        device: torch.device,
        least: int = 1,
    ) -> None:
        self.batch, self._least = max(batch, least), least
        self._learner, self._sampler, self._device = learner, sampler, device

    def restore(self, batch: int) -> None:
        """Go on with so many patches in a step, or as many as the devices need."""
        self.batch = max(batch, self._least)

    def step(self, fraction: float) -> float:
        """Make a step; with too little memory, with half the batch from now on.

        Parameters
        ----------
        fraction
            Share of the budget used, for the schedule.

        Returns
        -------
        float
            The loss, or NaN, see `Learner.step`.

        Raises
        ------
        ResourceError
            If even a single patch does not fit into the memory.
        """
        while True:
            try:
                batch = self._sampler.draw(self.batch)
                return self._learner.step(batch, fraction)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch == self._least:
                    raise ResourceError(
                        "There is not enough memory for a single patch on the device "
                        f"{self._device.type}: choose a smaller patch or network, "
                        "or close other programs."
                    ) from error
            release_memory(self._device)
            self.batch = max(self.batch // 2, self._least)
            warn_user(
                f"Out of memory: training goes on with {self.batch} patches per step.",
                stacklevel=3,
            )
