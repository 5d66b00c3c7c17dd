"""The start of a training where nobody said: what explains best what is painted, after few steps.

A candidate is each model of the library that fits, and nothing. All of them work at the scale at
which a training from nothing would work, take the same few steps on the same patches of what is
trained on, and are compared on other patches of it. What is held out has no say.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from unet_napari.errors import ModelFileError, without_warnings
from unet_napari.model.info import list_models
from unet_napari.model.model import Model
from unet_napari.system.device import available_memory, is_out_of_memory, release_memory
from unet_napari.training.budget import Budget
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.augment_config import AugmentConfig
from unet_napari.training.setup.prepare import prepare
from unet_napari.training.setup.working_scale import WorkingScale
from unet_napari.training.start.familiar import Wanted, familiar_models
from unet_napari.training.start.given import AUTOMATIC, NOTHING
from unet_napari.training.start.trial import StartTrial, at_scale, begin_trial, knows_sizes

if TYPE_CHECKING:
    from unet_napari.model.info import ListedModel
    from unet_napari.training.data.pairs import Pair
    from unet_napari.training.events import Started
    from unet_napari.training.setup.prepared import Prepared
    from unet_napari.training.start.given import GivenStart

__all__ = ["ChosenStart", "choose_start"]

_BUDGET_SHARE = 0.05  # share of the budget that all trials may take
_MOST_STEPS = 10  # most steps of each trial
_FEWEST_STEPS = 3  # steps of each trial below which nothing can be told
_COMPARED_PATCHES = 8  # patches that they are compared on; 16 led to the same choices
_SHORTEST_TRAINING = 20.0  # seconds of a training in which choosing pays
# Share of the loss of nothing that a model may have. Nuclei painted on images that `nuclei` knows
# give it 0.1 to 0.3; where it was above 0.7, trainings from nothing ended better.
_CLEAR_SHARE = 0.5
_LIVE_SECONDS = 20.0  # what a training without an end counts as: its first prediction is awaited


@dataclass(frozen=True)
class ChosenStart:
    """What a training starts from, and why.

    Attributes
    ----------
    model
        The model; None where training starts from nothing.
    reason
        A sentence; "" where there was nothing to choose.
    losses
        The loss of each candidate after its trial, by name; empty where none was made.
    scaled
        Whether the model works at another scale here than where it is asked for by its name.
    refine
        Whether it knows the sizes of the painted cells, see `choose_setup`.
    """

    model: Model | None
    reason: str = ""
    losses: dict[str, float] = field(default_factory=dict)
    scaled: bool = False
    refine: bool = True

    @property
    def about(self) -> dict[str, Any]:
        """What the provenance of a model says of it."""
        name = NOTHING if self.model is None else self.model.name
        scaled = {"scaled": True} if self.scaled else {}
        return {"name": name, "reason": self.reason, "losses": self.losses, **scaled}

    def tell(self, started: Started) -> Started:
        """Return the first event of a training, which says what it starts from."""
        if self.model is None and not self.reason:
            return started
        because = f": {self.reason}" if self.reason else ""
        line = f"Start: {self.about['name']}{because}."
        name = "" if self.model is None else self.model.name
        return replace(started, start=name, chosen=(line, *started.chosen))


def choose_start(pairs: Sequence[Pair], config: TrainConfig, start: GivenStart) -> ChosenStart:
    """Return the model that a training starts from.

    Parameters
    ----------
    pairs, config
        Arguments of a `Trainer`.
    start
        What was asked for; unless that is `AUTOMATIC`, it is what is returned. Only where painted
        cells are twice as large or small as those that a model knows, or more so, it works at the
        scale at which a training from nothing would work.

    Raises
    ------
    ImageError, LabelsError, SettingsError, ResourceError
        As `prepare` raises them.
    """
    if start is None:
        return ChosenStart(None)
    if start != AUTOMATIC:
        return _fitted(start, pairs, config)
    if _is_settled(config) or _is_short(config):
        return ChosenStart(None)
    image = pairs[0].image
    wanted = Wanted(config.task, config.ndim, image.channels, None, dict(image.pixel_size))
    listed = list_models()
    if not familiar_models(wanted, listed):
        return ChosenStart(None)
    prepared = _from_nothing(pairs, config)
    diameter = prepared.data.diameter
    diameter = None if diameter is None else diameter * prepared.scale.pixel
    familiar = familiar_models(replace(wanted, diameter=diameter), listed)
    trials = _trials(familiar, prepared, config)
    budget = Budget.of(config, prepared.decided.steps_per_epoch).steps
    affordable = math.inf if budget is None else int(_BUDGET_SHARE * budget / len(trials))
    steps = int(min(_MOST_STEPS, affordable))
    if steps < _FEWEST_STEPS:
        return ChosenStart(None)
    return _compare(trials, prepared, config, steps)


def _from_nothing(pairs: Sequence[Pair], config: TrainConfig) -> Prepared:
    """Prepare a training from nothing; the real one will say again what there is to warn of."""
    with without_warnings():
        return prepare(pairs, config, None)


def _fitted(model: Model, pairs: Sequence[Pair], config: TrainConfig) -> ChosenStart:
    """Return a model that was asked for, at a scale at which it knows the painted cells."""
    suits = model.ndim == config.ndim and model.channels == pairs[0].image.channels
    if model.diameter is None or not suits or _is_settled(config):
        return ChosenStart(model)
    prepared = _from_nothing(pairs, config)
    if not model.task.kind.separates_objects or knows_sizes(model, prepared):
        return ChosenStart(model)
    own = WorkingScale.choose(config, (), prepared.spacing, model.network)
    return ChosenStart(at_scale(model, own, prepared), refine=False)


def _is_settled(config: TrainConfig) -> bool:
    """Tell whether the settings ask for a network of their own, which no model has."""
    plain = TrainConfig(task=config.task, ndim=config.ndim)
    return (
        config.network != plain.network
        or bool(config.network_options)
        or config.pretrained is not False
    )


def _is_short(config: TrainConfig) -> bool:
    """Tell whether the time of a training is better spent than for choosing."""
    few = config.steps is not None and _BUDGET_SHARE * config.steps < 2 * _FEWEST_STEPS
    return few or (config.seconds is not None and config.seconds < _SHORTEST_TRAINING)


def _trials(
    familiar: Sequence[ListedModel], prepared: Prepared, config: TrainConfig
) -> list[StartTrial]:
    """Load the candidates; one whose file is damaged is none. Nothing comes last."""
    memory = (config.memory or available_memory(prepared.device) // 2) * 3 // 4
    trials = []
    for listed in familiar:
        try:
            model = replace(Model.load(listed.path), name=listed.name)
        except ModelFileError:
            continue
        trials.append(begin_trial(listed.name, model, prepared, config, memory))
    return [*trials, begin_trial(NOTHING, None, prepared, config, memory)]


def _compare(
    trials: Sequence[StartTrial], prepared: Prepared, config: TrainConfig, steps: int
) -> ChosenStart:
    """Let all candidates take the same steps in turns, and return the best one."""
    sampler = prepared.make_sampler(config)
    plain = prepared.make_sampler(replace(config, augment=AugmentConfig.none()))
    patches = plain.draw(_COMPARED_PATCHES)
    began = time.perf_counter()
    seconds = _LIVE_SECONDS if config.live else config.seconds
    try:
        for step in range(steps):
            late = seconds and time.perf_counter() - began > _BUDGET_SHARE * seconds
            if late and step >= _FEWEST_STEPS:
                break
            batch = sampler.draw(prepared.setup.batch)
            for trial in trials:
                trial.step(batch)
        losses = {trial.name: round(trial.loss(patches), 4) for trial in trials}
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        release_memory(prepared.device)
        return ChosenStart(None, "there was too little memory to try a model")
    return _best(trials, losses)


def _best(trials: Sequence[StartTrial], losses: dict[str, float]) -> ChosenStart:
    """Return the start with the lowest loss, or nothing where no model is clearly better."""
    best = min(trials, key=lambda trial: losses[trial.name])
    said = ", ".join(f"{name} {loss:.2f}" for name, loss in losses.items())
    if losses[best.name] > _CLEAR_SHARE * losses[NOTHING]:
        reason = f"no model explains what is painted clearly better (losses: {said})"
        return ChosenStart(None, reason, losses)
    reason = f"it explains what is painted best (losses: {said})"
    return ChosenStart(best.model, reason, losses, best.scaled, best.refine)
