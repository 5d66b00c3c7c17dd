"""What a training run starts with, and what is made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unet_napari.model.model import Model
from unet_napari.system.device import available_memory
from unet_napari.training.candidates.best import Kept
from unet_napari.training.candidates.incumbent import Incumbent
from unet_napari.training.data.augment import Augmenter
from unet_napari.training.data.patches import PatchSampler
from unet_napari.training.events import Started
from unet_napari.training.held_out import describe_judged, judged_parts
from unet_napari.training.judge import Judge

if TYPE_CHECKING:
    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.division import Split
    from unet_napari.training.data.sample import Sample
    from unet_napari.training.learner import Randomness, State
    from unet_napari.training.live.painted_data import PaintedData
    from unet_napari.training.setup.configure import Data, Setup
    from unet_napari.training.setup.decisions import Decisions
    from unet_napari.training.setup.working_scale import WorkingScale

__all__ = ["CONTEXT", "Prepared", "steps_of_an_epoch"]

CONTEXT = {2: 64, 3: 24}
"""Pixels of image around what is validated; changes beyond move little."""

_SHORTEST_EPOCH = 10  # steps; the few pixels of a scribble alone would make an epoch of one
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Prepared:
    """What a training run starts with.

    Attributes
    ----------
    config
        The settings, in the pixels of the network.
    device
        Device on which the network learns.
    randomness
        Random numbers of the network: fresh weights were drawn from it, dropout will be.
    painted
        What is trained on and what is held out; it changes with what is painted.
    halo
        Pixels that a part of it is shown of its neighbours, where it is predicted in parts.
    tile
        Pixels that may be predicted at once beside the training.
    images
        What the provenance says about the images, see `describe_data`.
    network
        Fresh, or with the weights of the model that training starts from.
    decided
        What stays, whatever is painted.
    """

    config: TrainConfig
    device: torch.device
    randomness: Randomness
    painted: PaintedData
    halo: tuple[int, ...]
    tile: int
    images: dict[str, Any]
    network: Network
    decided: Decisions

    @property
    def task(self) -> Task:
        """The task, with the classes that were found in the labels."""
        return self.decided.task

    @property
    def data(self) -> Data:
        """What was painted on, in numbers."""
        return self.decided.data

    @property
    def setup(self) -> Setup:
        """Patch, batch and what else was chosen."""
        return self.decided.setup

    @property
    def scale(self) -> WorkingScale:
        """How coarse the images are to the network; all else is in its pixels."""
        return self.decided.scale

    @property
    def spacing(self) -> tuple[float, ...]:
        """Pixel size per axis of the network, relative to the smallest."""
        return self.decided.spacing

    @property
    def split(self) -> Split:
        """What is trained on and what is held out at present."""
        return self.painted.split

    def judged(self) -> list[Sample]:
        """Return what of the held-out part is judged each time."""
        return self._parts(self.split.validation)

    def chosen(self) -> tuple[str, ...]:
        """Return all that was chosen, one line each."""
        split = self.split
        validation = split.message
        judged = describe_judged(split.validation, self.judged(), self.task.name)
        if judged:
            validation = f"{validation}; {judged}"
        device = f"Device: {self.device.type}."
        if self.config.devices > 1:
            device = f"Devices: {self.config.devices} x {self.device.type}, which share each batch."
        scale = filter(None, [self.scale.describe()])
        return (*self.setup.chosen, *scale, f"Validation: {validation}.", device)

    def describe(self) -> Started:
        """Return what the first event of the training says."""
        return Started(
            chosen=self.chosen(),
            device=self.device.type,
            patch=self.setup.patch,
            batch=self.setup.batch,
            samples=self.decided.samples,
            parameters=self.network.parameter_count,
            validation=self.split.message,
        )

    def decisions(self) -> Decisions:
        """Return what stays when the training is continued."""
        painted = self.painted
        return replace(self.decided, groups=tuple(painted.groups), division=painted.division)

    def make_judge(self) -> Judge:
        """Make what scores the network."""
        return Judge(self.judged(), self.task, self.device, halo=self.halo, most=self.tile)

    def make_start(self, state: State) -> Incumbent | None:
        """Make what decides whether the start stays, where nothing is held out to decide it."""
        if not self.decided.start or self.split.validation:
            return None
        kept = Kept(state, self.task, 0, None)
        painted = self.compared()
        return Incumbent(
            self.decided.start, kept, painted, self.device, halo=self.halo, most=self.tile
        )

    def compared(self) -> list[Sample]:
        """Return what a start is compared on, where nothing is held out."""
        return self._parts(self.split.training)

    def make_sampler(self, config: TrainConfig) -> PatchSampler:
        """Make the source of the batches, on the GPU where the samples fit there."""
        training = self.split.training
        place = _CPU
        # A fast GPU would wait for a CPU to make its patches.
        if self.device.type == "cuda":
            size = sum(s.image.nbytes + s.labels.nbytes + s.annotated.nbytes for s in training)
            place = self.device if size < available_memory(self.device) // 4 else _CPU
        rng = np.random.default_rng(config.seed)
        generator = torch.Generator(place).manual_seed(config.seed)
        augmenter = Augmenter(config.augment, self.setup.patch, self.spacing, rng, generator)
        return PatchSampler(training, config.task, augmenter, rng, place)

    def make_model(
        self,
        network: Network,
        task: Task,
        provenance: dict[str, Any],
        halo: tuple[int, ...] | None,
    ) -> Model:
        """Make a model at the scale of the network; `WorkingScale.model` makes one for images."""
        return Model(
            network=network,
            task=task,
            normalisation=self.decided.normalisation,
            pixel_size=dict(self.decided.pixel_size),
            name=self.config.task,
            halo=halo,
            diameter=self.data.diameter,
            provenance=provenance,
        )

    def _parts(self, samples: list[Sample]) -> list[Sample]:
        config = self.config
        return judged_parts(samples, self.spacing, CONTEXT[config.ndim], config.seed, config.task)


def steps_of_an_epoch(split: Split, setup: Setup) -> int:
    """Return how many steps draw as many pixels as are annotated."""
    annotated = sum(int(sample.annotated.sum()) for sample in split.training)
    drawn = setup.batch * math.prod(setup.patch)
    return max(_SHORTEST_EPOCH, math.ceil(annotated / drawn))
