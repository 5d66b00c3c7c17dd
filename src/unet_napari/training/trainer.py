"""The training run: pairs and settings in, a generator of events and a model out."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unet_napari.device import is_out_of_memory, release_memory
from unet_napari.errors import ResourceError, UnetNapariWarning
from unet_napari.model import Model
from unet_napari.networks import build_network
from unet_napari.networks.measured_halo import TOLERANCE
from unet_napari.training.budget import Budget
from unet_napari.training.context import measure_halo
from unet_napari.training.events import Finished, Started, Step, TrainEvent, Validated
from unet_napari.training.learner import Learner, State
from unet_napari.training.picture import thumbnail
from unet_napari.training.prepare import prepare
from unet_napari.training.provenance import describe_data, describe_versions
from unet_napari.training.validate import Judge

if TYPE_CHECKING:
    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.pairs import Pair

__all__ = ["Trainer"]

_DIVERGED = (
    "The loss was no longer a number at step {}; the best model before it is kept. "
    "A lower learning rate may help."
)


# For measuring the halo. No event is sent meanwhile, so that Stop has to wait for it.
_HALO_SECONDS = 1.5


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
        self.config = config
        self._pairs = list(pairs)
        self._prepared = prepared = prepare(pairs, config, start_from)
        self._learner = Learner(
            prepared.network,
            prepared.task,
            config,
            prepared.setup.learning_rate,
            prepared.device,
            prepared.randomness,
        )
        self._judge = Judge(prepared.crops, prepared.task, prepared.device)
        self._sampler = prepared.make_sampler(config)
        self._batch = prepared.setup.batch
        self._data = describe_data(pairs)
        self._halo: tuple[int, ...] | None = None  # measured at the end
        self._kept: _Kept | None = None
        self._highest: float | None = None  # score so far
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
        kept = self._best()
        model = self._make_model(self._network_of(kept), kept.task, kept.step, kept.score)
        shown = self._prepared.crops or self._prepared.split.training
        model.thumbnail = thumbnail(model, shown[0])
        return model

    def _best(self) -> _Kept:
        kept = self._kept
        if kept is None or (kept.score is None and not self._diverged):
            return _Kept(self._learner.state(), self._judge.task, self._step, None)
        return kept

    def _network_of(self, kept: _Kept) -> Network:
        live = self._learner.network
        with self._prepared.randomness():
            network = build_network(live.name, live.options)
        network.load_state_dict(kept.state)
        return network.eval()

    def run(self) -> Generator[TrainEvent, None, None]:
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
        budget = Budget.of(self.config, self._prepared.steps_per_epoch)
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
        best = self._best()
        network = self._network_of(best).to(self._prepared.device)
        samples = self._prepared.split.training
        self._halo = measure_halo(network, best.task, samples, self.config.seed, _HALO_SECONDS)
        kept = self._kept
        score = None if kept is None else kept.score
        name = self._judge.task.score_name
        yield Finished(self._reason, self._step, budget.elapsed(), score, name)

    def _started(self) -> Started:
        validation = f"Validation: {self._prepared.split.message}."
        device = f"Device: {self._prepared.device.type}."
        network = self._learner.network
        return Started(
            chosen=(*self._prepared.setup.chosen, validation, device),
            device=self._prepared.device.type,
            patch=self._prepared.setup.patch,
            batch=self._batch,
            samples=self._prepared.samples,
            parameters=network.parameter_count,
            validation=self._prepared.split.message,
        )

    def _stepped(self, loss: float, budget: Budget) -> Step:
        self._seconds = budget.elapsed()
        fraction = budget.fraction(self._step)
        return Step(
            step=self._step,
            epoch=1 + (self._step - 1) // self._prepared.steps_per_epoch,
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
                        "There is not enough memory for a single patch on the device "
                        f"{self._prepared.device.type}: choose a smaller patch or network, "
                        "or close other programs."
                    ) from error
            release_memory(self._prepared.device)
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
        highest = self._highest
        # Among weights that the held-out labels cannot tell apart, the later ones, which a lower
        # learning rate has refined: the best of many noisy scores is mostly a lucky one
        # (the one-standard-error rule of Breiman et al. 1984, with that of a difference).
        enough = None if highest is None else highest - 2**0.5 * self._judge.uncertainty(highest)
        score = None
        if self._judge.samples:
            score = self._judge.score(self._learner.judged, enough)
        if score is None:
            if highest is None:  # what is returned should the loss become NaN later
                self._kept = _Kept(self._learner.state(), self._judge.task, self._step, None)
            self._learner.schedule.judged(-loss)
            return Validated(
                self._step, None, name, best=False, message=self._prepared.split.message
            )
        best = enough is None or score >= enough
        self._highest = score if highest is None else max(score, highest)
        self._waited = 0 if highest is None or score > highest else self._waited + 1
        if best:
            self._kept = _Kept(self._learner.state(), self._judge.task, self._step, score)
        self._learner.schedule.judged(score)
        budget.validated(time.perf_counter() - started)
        return Validated(self._step, score, name, best=best, message="")

    def _make_model(self, network: Network, task: Task, step: int, score: float | None) -> Model:
        image = self._pairs[0].image
        return Model(
            network=network,
            task=task,
            normalisation=self._prepared.normalisation,
            pixel_size={a: image.pixel_size[a] for a in "ZYX" if a in image.pixel_size},
            name=self.config.task,
            halo=self._halo,
            diameter=self._prepared.data.diameter,
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
            "chosen": list(self._prepared.setup.chosen),
            "validation": self._prepared.split.message,
            "step": step,
            "steps": self._step,
            "seconds": round(self._seconds, 1),
            "seed": self.config.seed,
            "device": self._prepared.device.type,
            "finished": self._reason,
            "halo_tolerance": None if self._halo is None else TOLERANCE,
        }


def _complete(config: TrainConfig) -> str:
    if config.seconds is not None:
        return "The time is used up."
    if config.epochs is not None:
        return f"All {config.epochs} epochs are done."
    return f"All {config.steps} steps are done."
