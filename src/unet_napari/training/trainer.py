"""The training run: pairs and settings in, a generator of events and a model out."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from unet_napari.errors import ResourceError, SettingsError, warn_user
from unet_napari.model.model import Model
from unet_napari.model.schema import encode_info
from unet_napari.networks import build_network
from unet_napari.system.device import is_out_of_memory, release_memory
from unet_napari.training.budget import Budget, used_up
from unet_napari.training.candidates.best import Best, Kept
from unet_napari.training.data.patch_sheet import thumbnail as draw_thumbnail
from unet_napari.training.events import Finished, Step, TrainEvent, Validated
from unet_napari.training.learner import Learner, Randomness
from unet_napari.training.measured_halo import TOLERANCE
from unet_napari.training.needed_context import measure_halo
from unet_napari.training.setup.prepare import prepare
from unet_napari.training.setup.provenance import describe_training
from unet_napari.training.start.choose import choose_start
from unet_napari.training.verdict import NOTHING_LEARNT, judgement, kept_start, what_is_missing

if TYPE_CHECKING:
    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.pairs import Pair
    from unet_napari.training.start.given import GivenStart

__all__ = ["Trainer"]

_DIVERGED = (
    "The loss was no longer a number at step {}; the best model before it is kept. "
    "A lower learning rate may help."
)
_STOPPED = "Stopped."
# For measuring the halo. No event is sent meanwhile, so that Stop has to wait for it.
_HALO_SECONDS = 1.5


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
        still fits. ``"auto"``: it is chosen, see `choose_start`.

    Raises
    ------
    ImageError, LabelsError, SettingsError, ResourceError, OutputError
        Before anything is trained, naming what is wrong and the remedy.

    Examples
    --------
    >>> trainer = Trainer(pairs, TrainConfig(seconds=60))    # doctest: +SKIP
    >>> for event in trainer.run():                          # doctest: +SKIP
    ...     print(event.describe())
    >>> trainer.best_model().save("cells.unet")              # doctest: +SKIP
    """

    def __init__(
        self, pairs: Sequence[Pair], config: TrainConfig, start_from: GivenStart = None
    ) -> None:
        self.config = config
        chosen = choose_start(pairs, config, start_from)
        self._prepared = prepared = prepare(pairs, config, chosen.model)
        self._started = chosen.tell(prepared.describe())
        self._learner = Learner(
            prepared.network,
            prepared.task,
            config,
            prepared.setup.learning_rate,
            prepared.device,
            prepared.randomness,
        )
        self._about = {
            **describe_training(config, pairs),
            **prepared.images,
            "chosen": list(prepared.setup.chosen),
            "start": chosen.about,
            "validation": prepared.split.message,
            "device": prepared.device.type,
        }
        self._judge = prepared.make_judge()
        self._sampler = prepared.make_sampler(config)
        self._batch = prepared.setup.batch
        self._halo: tuple[int, ...] | None = None  # measured at the end
        self._best = Best()
        self._start = prepared.make_start(self._learner.state(), config)
        self._step = 0
        self._seconds = 0.0
        self._diverged = False
        self._reason = _STOPPED
        self._missing = what_is_missing(prepared.split, config.task, config.validation)
        encode_info(self.model.info)  # what cannot be saved is not worth training

    @property
    def model(self) -> Model:
        """The network as it is now, in eval mode between two events; shared, not a copy."""
        model = self._make_model(self._learner.judged, self._judge.task, self._step, None)
        return self._prepared.scale.model(model)

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return self._step

    @property
    def best_step(self) -> int:
        """After which step the network had the weights that `best_model` returns."""
        return self._choose().step

    @property
    def verdict(self) -> str:
        """What the score of `best_model` means, or what a score needs."""
        kept = self._choose()
        if kept.step or not (self._step and self._prepared.start):
            return self._say(kept.score)
        if self._start is not None:
            return self._start.describe()
        return kept_start(self._prepared.start, self._judge.cells)

    def best_model(self, *, thumbnail: bool = True) -> Model:
        """Return a copy with the best validated weights, or the present ones if there are none.

        It is on the CPU, and its decoding thresholds are tuned on the validation regions. Its
        thumbnail, for which the network has to predict, can be left out.
        """
        kept = self._choose()
        model = self._make_model(self._network_of(kept), kept.task, kept.step, kept.score)
        if thumbnail:
            shown = self._prepared.judged or self._prepared.split.training
            model.thumbnail = draw_thumbnail(model, shown[0], self._prepared.tile)
        return self._prepared.scale.model(model)

    def _say(self, score: float | None) -> str:
        if score is None:
            return self._missing
        finished = self._reason != _STOPPED
        return judgement(score, task=self.config.task, cells=self._judge.cells, finished=finished)

    def _choose(self) -> Kept:
        if self._start is not None and self._start.stays:
            return self._start.kept
        kept = self._best.kept
        # A score of 0 tells no weights apart, so that the later ones are the better ones.
        if kept is None or not (kept.score or kept.step == self._step or self._diverged):
            return Kept(None, self._judge.task, self._step, None)
        return kept

    def _network_of(self, kept: Kept) -> Network:
        live = self._learner.network
        # Random numbers of its own: how often a model is asked for decides nothing in the run.
        with Randomness(self.config.seed, self._prepared.device)():
            network = build_network(live.name, live.options)
        network.load_state_dict(kept.state or self._learner.state())
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
        yield self._started
        budget = Budget.of(self.config, self._prepared.steps_per_epoch)
        looked_at = 0
        if self._prepared.start:  # a candidate like any other
            event = self._look(budget)
            if event.score is not None:
                yield event
        while budget.fraction(self._step) < 1:
            fraction = budget.fraction_of_next(self._step)
            rate, began = self._learner.rate(fraction), time.perf_counter()
            loss = self._learn(fraction)
            budget.expect(self._judging_time(time.perf_counter() - began))
            self._diverged = math.isnan(loss)
            if self._diverged:
                self._note_divergence()
                break
            self._step += 1
            yield self._stepped(loss, rate, budget)
            if budget.validation_due(self._step):
                event = self._look(budget)
                if event.score is not None or looked_at == 0:
                    yield event
                looked_at = self._step
                if self._best.waited == self.config.patience:
                    self._reason = f"No better score in {self._best.waited} validations."
                    break
        else:
            self._reason = used_up(self.config)
            if looked_at < self._step and (self._judge.samples or self._start):
                yield self._look(budget)
        yield self._finished(budget)

    def _finished(self, budget: Budget) -> Finished:
        kept = self._choose()
        network = self._network_of(kept).to(self._prepared.device)
        samples = self._prepared.split.training
        self._halo = measure_halo(network, kept.task, samples, self.config.seed, _HALO_SECONDS)
        seconds, name = budget.elapsed(), kept.task.score_name
        return Finished(self._reason, self._step, seconds, kept.score, name, self.verdict)

    def _note_divergence(self) -> None:
        if self._step == 0:
            raise SettingsError(NOTHING_LEARNT)
        self._reason = _DIVERGED.format(self._step + 1)

    def _stepped(self, loss: float, rate: float, budget: Budget) -> Step:
        self._seconds = budget.elapsed()
        return Step(
            step=self._step,
            epoch=1 + (self._step - 1) // self._prepared.steps_per_epoch,
            epochs=self.config.epochs,
            loss=loss,
            learning_rate=rate,
            fraction=budget.fraction(self._step),
            seconds_left=budget.seconds_left(self._step),
        )

    def _learn(self, fraction: float) -> float:
        """Make a step; with too little memory, with half the batch from now on."""
        while True:
            try:
                batch = self._sampler.draw(self._batch)
                return self._learner.step(batch, fraction)
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
            warn_user(
                f"Out of memory: training goes on with {self._batch} patches per step.",
                stacklevel=2,
            )

    def _judging_time(self, step: float) -> float:
        """Estimate the seconds of a validation from those of a step."""
        pixels = self._batch * math.prod(self._prepared.setup.patch)
        # A step goes forward and backward, three times the work; decoding is added to it here.
        judged = self._judge.pixels + (0 if self._start is None else self._start.pixels)
        return judged / pixels * step / 2

    def _look(self, budget: Budget) -> Validated:
        """Validate, and keep the weights if they are the best so far."""
        started = time.perf_counter()
        judge, best = self._judge, self._best
        enough = best.enough(judge.uncertainty(best.highest or 0.0))
        score = judge.score(self._learner.judged, enough)
        if self._start is not None:
            self._start.compare(self._learner.judged)

        def take() -> Kept:
            return Kept(self._learner.state(), judge.task, self._step, score)

        better = best.judged(score, enough, take)
        if score is not None:  # losses of single batches, or nothing, move no schedule
            self._learner.schedule.judged(score)
        # Also without a score it was done and took its time.
        budget.validated(time.perf_counter() - started)
        message = "" if score is not None else judge.message or self._prepared.split.message
        verdict, name = self._say(score), judge.task.score_name
        return Validated(self._step, score, name, better, message, verdict)

    def _make_model(self, network: Network, task: Task, step: int, score: float | None) -> Model:
        return Model(
            network=network,
            task=task,
            normalisation=self._prepared.normalisation,
            pixel_size=self._prepared.pixel_size,
            name=self.config.task,
            halo=self._halo,
            diameter=self._prepared.data.diameter,
            provenance=self._provenance(task, step, score),
        )

    def _provenance(self, task: Task, step: int, score: float | None) -> dict[str, Any]:
        return {
            "score": score,
            "score_name": task.score_name,
            **self._about,
            "step": step,
            "steps": self._step,
            "seconds": round(self._seconds, 1),
            "finished": self._reason,
            "halo_tolerance": None if self._halo is None else TOLERANCE,
        }
