"""The training run: pairs and settings in, a generator of events and a model out."""

from __future__ import annotations

import math
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unet_napari.device import (
    available_memory,
    choose_device,
    is_out_of_memory,
    release_memory,
)
from unet_napari.errors import ResourceError, SettingsError, UnetNapariWarning
from unet_napari.images import Normalisation
from unet_napari.model import Model
from unet_napari.networks import build_network
from unet_napari.networks.halo import exact_halo
from unet_napari.tasks import Task, make_task
from unet_napari.tasks.losses import frequency_weights
from unet_napari.training.augment import Augmenter
from unet_napari.training.budget import Budget
from unet_napari.training.configure import Data, Setup, choose_setup
from unet_napari.training.events import Finished, Started, Step, TrainEvent, Validated
from unet_napari.training.learner import Learner, Randomness, State
from unet_napari.training.pairs import check_pairs, load_samples, spacing_of
from unet_napari.training.patches import PatchSampler
from unet_napari.training.picture import picture_of
from unet_napari.training.provenance import describe_data, describe_versions
from unet_napari.training.split import split_samples
from unet_napari.training.validate import Judge, choose_crops, predict_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.networks.base import Network
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.pairs import Pair
    from unet_napari.training.sample import Sample

__all__ = ["Trainer"]

_CONTEXT = 64  # pixels of image around what is validated; changes beyond move little
_SHORTEST_EPOCH = 10  # steps; the few pixels of a scribble alone would make an epoch of one
_THUMBNAIL = {2: (256, 256), 3: (8, 192, 192)}  # pixels that are predicted for the picture
_DIVERGED = (
    "The loss was no longer a number at step {}; the best model before it is kept. "
    "A lower learning rate may help."
)


@dataclass(frozen=True)
class _Kept:
    """The weights that `Trainer.best_model` returns, and the score that they had."""

    state: State
    task: Task
    step: int
    score: float | None


class Trainer:
    """Trains a network on what was painted.

    Parameters
    ----------
    pairs
        Images and their labels.
    config
        The settings.
    start_from
        A model whose network and weights training starts from; of its last layer only what
        still fits.

    Raises
    ------
    ImageError, LabelsError, SettingsError, ResourceError
        Before anything is trained, naming what is wrong and the remedy.

    Examples
    --------
    >>> trainer = Trainer(pairs, TrainConfig(seconds=60))    # doctest: +SKIP
    >>> for event in trainer.run():                          # doctest: +SKIP
    ...     print(event.describe())
    >>> trainer.best_model().save("cells.unet")              # doctest: +SKIP
    """

    def __init__(
        self, pairs: Sequence[Pair], config: TrainConfig, start_from: Model | None = None
    ) -> None:
        check_pairs(pairs, config)
        _check_start(start_from, pairs[0], config)
        self.config = config
        self._pairs = list(pairs)
        self._device = choose_device(config.device)
        self._rng = np.random.default_rng(config.seed)
        self._randomness = Randomness(config.seed, self._device)
        memory = config.memory or available_memory(torch.device("cpu")) // 2
        self._normalisation = Normalisation() if start_from is None else start_from.normalisation
        samples = load_samples(pairs, config, self._normalisation, memory // 4)
        self._spacing = spacing_of(pairs[0].image, config.ndim)
        task = _make_task(config, samples, self._spacing)
        self._split = split_samples(
            samples,
            task=config.task,
            fraction=config.validation,
            spacing=self._spacing,
            context=_CONTEXT,
            seed=config.seed,
        )
        if self._device.type != "cpu" and config.memory is None:
            memory = available_memory(self._device) // 2
        old = None if start_from is None else start_from.network
        data = _describe(samples, task, self._spacing, config)
        with Randomness(config.seed, self._device)():  # it builds networks to look at them
            self._setup = choose_setup(config, data, self._device.type, memory // 2, old)
        self._batch = self._setup.batch
        self._steps_per_epoch = _steps_per_epoch(self._split.training, self._setup)
        self._samples = len(samples)
        self._data = describe_data(pairs)
        self._learner = Learner(
            self._make_network(old),
            task,
            config,
            self._setup.learning_rate,
            self._device,
            self._randomness,
        )
        self._halo = exact_halo(self._learner.network)
        self._judge = self._make_judge(task)
        self._sampler = self._make_sampler()
        self._kept: _Kept | None = None
        self._step = 0
        self._seconds = 0.0
        self._waited = 0  # validations since the score was last improved
        self._diverged = False
        self._reason = "Stopped."

    @property
    def model(self) -> Model:
        """The network as it is now, in eval mode between two events; shared, not a copy."""
        return self._make_model(self._learner.judged, self._judge.task, self._step, None)

    def best_model(self) -> Model:
        """Return a copy with the best validated weights, or the present ones if there are none.

        It is on the CPU, and its decoding thresholds are tuned on the validation regions.
        """
        kept = self._kept
        if kept is None or (kept.score is None and not self._diverged):
            kept = _Kept(self._learner.state(), self._judge.task, self._step, None)
        live = self._learner.network
        with self._randomness():
            network = build_network(live.name, live.options)
        network.load_state_dict(kept.state)
        model = self._make_model(network.eval(), kept.task, kept.step, kept.score)
        model.thumbnail = self._thumbnail(model)
        return model

    def run(self) -> Iterator[TrainEvent]:
        """Train until the budget is used up, yielding events; to stop, ask for no more.

        Yields
        ------
        Started, then Step and now and then Validated, and Finished at the end

        Raises
        ------
        ResourceError
            If even a single patch does not fit into the memory.
        """
        yield self._started()
        budget = Budget.of(self.config, self._steps_per_epoch)
        looked_at = 0
        while budget.fraction(self._step) < 1:
            loss = self._learn(budget)
            self._diverged = math.isnan(loss)
            if self._diverged:
                self._reason = _DIVERGED.format(self._step + 1)
                break
            self._step += 1
            yield self._stepped(loss, budget)
            if budget.validation_due(self._step):
                event = self._look(budget, loss)
                if event.score is not None or looked_at == 0:
                    yield event
                looked_at = self._step
                if self._waited == self.config.patience:
                    self._reason = f"No better score in {self._waited} validations."
                    break
        else:
            self._reason = _complete(self.config)
            if self._judge.samples and looked_at < self._step:
                yield self._look(budget, loss)
        kept = self._kept
        score = None if kept is None else kept.score
        name = self._judge.task.score_name
        yield Finished(self._reason, self._step, budget.elapsed(), score, name)

    def _started(self) -> Started:
        validation = f"Validation: {self._split.message}."
        device = f"Device: {self._device.type}."
        network = self._learner.network
        return Started(
            chosen=(*self._setup.chosen, validation, device),
            device=self._device.type,
            patch=self._setup.patch,
            batch=self._batch,
            samples=self._samples,
            parameters=network.parameter_count,
            validation=self._split.message,
        )

    def _stepped(self, loss: float, budget: Budget) -> Step:
        self._seconds = budget.elapsed()
        fraction = budget.fraction(self._step)
        return Step(
            step=self._step,
            epoch=1 + (self._step - 1) // self._steps_per_epoch,
            epochs=self.config.epochs,
            loss=loss,
            learning_rate=self._learner.rate(fraction),
            fraction=fraction,
            seconds_left=budget.seconds_left(self._step),
        )

    def _learn(self, budget: Budget) -> float:
        """Make a step; with too little memory, with half the batch from now on."""
        while True:
            try:
                batch = self._sampler.draw(self._batch)
                return self._learner.step(batch, budget.fraction(self._step))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if self._batch == 1:
                    raise ResourceError(
                        f"There is not enough memory on the {self._device.type} for a single "
                        "patch: choose a smaller patch or network, or close other programs."
                    ) from error
            release_memory(self._device)
            self._batch //= 2
            warnings.warn(
                f"Out of memory: training goes on with {self._batch} patches per step.",
                UnetNapariWarning,
                stacklevel=2,
            )

    def _look(self, budget: Budget, loss: float) -> Validated:
        """Validate, and keep the weights if they are the best so far."""
        started = time.perf_counter()
        name = self._judge.task.score_name
        highest = None if self._kept is None else self._kept.score
        score = None
        if self._judge.samples:
            score = self._judge.score(self._learner.judged, highest)
        if score is None:
            if highest is None:  # what is returned should the loss become NaN later
                self._kept = _Kept(self._learner.state(), self._judge.task, self._step, None)
            self._learner.schedule.judged(-loss)
            return Validated(self._step, None, name, best=False, message=self._split.message)
        # Among equals the later weights, which a lower learning rate has refined.
        best = highest is None or score >= highest
        self._waited = 0 if highest is None or score > highest else self._waited + 1
        if best:
            self._kept = _Kept(self._learner.state(), self._judge.task, self._step, score)
        self._learner.schedule.judged(score)
        budget.validated(time.perf_counter() - started)
        return Validated(self._step, score, name, best=best, message="")

    def _make_network(self, old: Network | None) -> Network:
        name = self.config.network if old is None else old.name
        with self._randomness():
            network = build_network(name, self._setup.network_options)
        if old is not None:
            fresh = network.state_dict()
            kept = {k: v for k, v in old.state_dict().items() if v.shape == fresh[k].shape}
            network.load_state_dict({**fresh, **kept})
        return network

    def _make_judge(self, task: Task) -> Judge:
        cells = self.config.task == "cells"
        crops = choose_crops(
            self._split.validation, self._spacing, _CONTEXT, self.config.seed, cells=cells
        )
        return Judge(crops, task, self._device)

    def _make_sampler(self) -> PatchSampler:
        generator = torch.Generator().manual_seed(self.config.seed)
        augmenter = Augmenter(
            self.config.augment, self._setup.patch, self._spacing, self._rng, generator
        )
        return PatchSampler(
            self._split.training, self.config.task, augmenter, self._rng, torch.device("cpu")
        )

    def _make_model(self, network: Network, task: Task, step: int, score: float | None) -> Model:
        image = self._pairs[0].image
        return Model(
            network=network,
            task=task,
            normalisation=self._normalisation,
            pixel_size={a: image.pixel_size[a] for a in "ZYX" if a in image.pixel_size},
            name=self.config.task,
            halo=self._halo,
            provenance=self._provenance(task, step, score),
        )

    def _provenance(self, task: Task, step: int, score: float | None) -> dict[str, Any]:
        return {
            "score": score,
            "score_name": task.score_name,
            "versions": describe_versions(),
            "data": self._data,
            "slicewise": any(pair.image.ndim > self.config.ndim for pair in self._pairs),
            "settings": self.config.to_dict(),
            "chosen": list(self._setup.chosen),
            "validation": self._split.message,
            "step": step,
            "steps": self._step,
            "seconds": round(self._seconds, 1),
            "seed": self.config.seed,
            "device": self._device.type,
            "finished": self._reason,
        }

    def _thumbnail(self, model: Model) -> NDArray[np.uint8]:
        """Return a picture of what the model predicts, of a held-out region if there is one."""
        sample = (self._judge.samples or self._split.training)[0]
        middle = tuple(
            slice((size - min(size, side)) // 2, (size + min(size, side)) // 2)
            for size, side in zip(sample.labels.shape, _THUMBNAIL[self.config.ndim], strict=True)
        )
        part = sample.crop(middle)
        maps = predict_sample(model.network, model.task, part, torch.device("cpu"))
        return picture_of(part.image, model.task.decode(maps))


def _check_start(model: Model | None, pair: Pair, config: TrainConfig) -> None:
    if model is None:
        return
    if model.ndim != config.ndim or model.channels != pair.image.channels:
        raise SettingsError(
            f"{model.name} is a {model.ndim}D model of {model.channels} channel(s), but training "
            f"is {config.ndim}D with {pair.image.channels}: start from another model, or from none."
        )


def _make_task(config: TrainConfig, samples: Sequence[Sample], spacing: Sequence[float]) -> Task:
    settings: dict[str, Any] = {"name": config.task, **config.task_options}
    if config.task == "cells":
        return make_task({"anisotropy": list(spacing), **settings})
    counts: Counter[int] = Counter()
    for sample in samples:
        ids, pixels = np.unique(sample.labels[sample.annotated], return_counts=True)
        counts.update(dict(zip(ids.tolist(), pixels.tolist(), strict=True)))
    settings = {"classes": sorted(counts), **settings}
    criterion = settings.get("criterion")
    if isinstance(criterion, Mapping) and criterion.get("class_weights") == "frequency":
        weights = frequency_weights([counts[number] for number in settings["classes"]])
        settings["criterion"] = {**criterion, "class_weights": list(weights)}
    return make_task(settings)


def _describe(
    samples: Sequence[Sample], task: Task, spacing: tuple[float, ...], config: TrainConfig
) -> Data:
    shapes = np.median([sample.labels.shape for sample in samples], axis=0)
    diameter = None
    if config.task == "cells":
        volumes = [
            np.unique(s.labels[s.annotated & (s.labels > 0)], return_counts=True)[1]
            for s in samples
        ]
        # Of a cube of the same volume, counted in the smallest pixels.
        cubes = np.concatenate(volumes) * np.prod(spacing)
        diameter = float(np.median(cubes) ** (1 / len(spacing)))
    return Data(
        channels=samples[0].image.shape[0],
        out_channels=task.out_channels,
        shape=tuple(int(size) for size in shapes),
        spacing=spacing,
        diameter=diameter,
    )


def _complete(config: TrainConfig) -> str:
    if config.seconds is not None:
        return "The time is used up."
    if config.epochs is not None:
        return f"All {config.epochs} epochs are done."
    return f"All {config.steps} steps are done."


def _steps_per_epoch(samples: Sequence[Sample], setup: Setup) -> int:
    annotated = sum(int(sample.annotated.sum()) for sample in samples)
    drawn = setup.batch * math.prod(setup.patch)
    return max(_SHORTEST_EPOCH, math.ceil(annotated / drawn))
