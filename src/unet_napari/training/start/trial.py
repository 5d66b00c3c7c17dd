"""A few steps from a start, to see how well it explains what is painted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask
from unet_napari.training.learner import Learner, Randomness
from unet_napari.training.setup.choose_task import choose_task
from unet_napari.training.setup.configure import choose_setup
from unet_napari.training.setup.inherit import inherit_weights
from unet_napari.training.setup.working_scale import WorkingScale

if TYPE_CHECKING:
    from unet_napari.model.model import Model
    from unet_napari.tasks import Task
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.augment import Patch
    from unet_napari.training.setup.prepared import Prepared

__all__ = ["StartTrial", "at_scale", "begin_trial", "knows_sizes"]

_MOST_OFF = 2.0  # factor by which sizes differ where a model does not know the cells any more
_RATE_AT = 0.3  # share of the budget whose learning rate the steps of a trial have
_COMPARED_MAPS = 2  # first maps of cells that mean the same in every model: foreground and boundary


@dataclass
class StartTrial:
    """A start that takes a few steps.

    Attributes
    ----------
    name
        What the start is called.
    model
        The model, at the scale of the training; None: random weights.
    learner
        Learner of its network.
    common
        The task by which all starts are compared.
    device
        Device on which the network learns.
    scaled
        Whether the model works at another scale than its own here.
    refine
        Whether the model knows the sizes of the painted cells, see `choose_setup`.
    """

    name: str
    model: Model | None
    learner: Learner
    common: Task
    device: torch.device
    scaled: bool = False
    refine: bool = True

    def step(self, batch: Patch) -> None:
        """Learn from a batch."""
        self.learner.step(batch, _RATE_AT)

    def loss(self, patches: Patch) -> float:
        """Return the loss on patches, by the task that all starts have in common.

        The norms take their statistics from the patches: after a few steps from random weights
        their averages are of no use yet.
        """
        labels, annotated = patches.labels.to(self.device), patches.annotated.to(self.device)
        target = self.common.encode(labels, annotated)
        if self.common.kind.separates_objects:
            target.weight[:, _COMPARED_MAPS:] = 0
        network = self.learner.network.train()
        with torch.no_grad():
            logits = network(patches.image.to(self.device))
        logits = logits[0] if isinstance(logits, list) else logits
        return float(self.common.loss(logits.float(), target))


def begin_trial(
    name: str, model: Model | None, prepared: Prepared, config: TrainConfig, memory: int
) -> StartTrial:
    """Make a trial of a start.

    Parameters
    ----------
    name, model
        The start; None: the random weights that `prepared` has.
    prepared
        A training from nothing; its network is used up by a trial of nothing.
    config
        The settings, at the scale of the images.
    memory
        Bytes that a training step may use.
    """
    config, scaled, refine = prepared.scale.config(config), False, True
    if model is None:
        network, task, rate = prepared.network, prepared.task, prepared.setup.learning_rate
        randomness = prepared.randomness
    else:
        refine = knows_sizes(model, prepared)
        own = WorkingScale.choose(config, (), prepared.spacing, model.network)
        old = own.plain(model.network) or model.network
        training = prepared.split.training
        task = choose_task(config, training, training, prepared.spacing, own.task(model.task))
        data = replace(prepared.data, out_channels=prepared.task.out_channels)
        randomness = Randomness(config.seed, prepared.device)
        with randomness():
            kind = prepared.device.type
            setup = choose_setup(config, data, kind, memory, old, refine=refine)
            network = build_network(old.name, setup.network_options)
        inherit_weights(network, old)
        rate = setup.learning_rate
        model = at_scale(model, own, prepared)
        scaled = own.reduction != prepared.scale.reduction
    learner = Learner(network, task, config, rate, prepared.device, randomness)
    return StartTrial(name, model, learner, prepared.task, prepared.device, scaled, refine)


def at_scale(model: Model, own: WorkingScale, prepared: Prepared) -> Model:
    """Return a model that works at the scale of a training; the weights are shared.

    Parameters
    ----------
    model
        Any model of the same dimensions and channels.
    own
        The scale that it works at.
    prepared
        A training from nothing. Where its cells have sizes that the model does not know, the
        smallest object is that of this training: what is smaller than every painted cell is dirt.
    """
    plain = replace(
        model,
        network=own.plain(model.network) or model.network,
        task=own.task(model.task) or model.task,
        diameter=None if model.diameter is None else model.diameter / own.pixel,
        halo=None,
    )
    fitted = prepared.scale.model(plain)
    task, wanted = fitted.task, prepared.task
    if (
        isinstance(task, CellsTask)
        and isinstance(wanted, CellsTask)
        and not knows_sizes(model, prepared)
    ):
        least = max(task.min_size, wanted.min_size * prepared.scale.factor)
        return replace(fitted, task=replace(task, min_size=least))
    return fitted


def knows_sizes(model: Model, prepared: Prepared) -> bool:
    """Tell whether the painted cells of a training are as large as those that a model knows."""
    painted = prepared.data.diameter
    if painted is None or model.diameter is None:
        return True
    ratio = painted * prepared.scale.pixel / model.diameter
    return 1 / _MOST_OFF < ratio < _MOST_OFF
