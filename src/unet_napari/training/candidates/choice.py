"""The choice among the weights of a training: judged ones, the start, or the last ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from unet_napari.tasks import make_task
from unet_napari.training.candidates.best import Best, Kept
from unet_napari.training.events import Validated
from unet_napari.training.verdict import judgement, kept_start, what_is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unet_napari.networks.base import Network
    from unet_napari.training.candidates.incumbent import Incumbent
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.division import Split
    from unet_napari.training.data.sample import Sample
    from unet_napari.training.judge import Judge
    from unet_napari.training.learner import Learner

__all__ = ["Choice"]


class Choice:
    """Validates the network now and then, and knows which weights are the best.

    Parameters
    ----------
    config
        The settings.
    judge
        Scores a network.
    start
        What decides whether the weights that training starts from stay, where nothing is held out.
    start_name
        Name of the model that training starts from; "" for none.
    split
        What is trained on and what is held out.
    revive
        Returns a network with the weights that were kept, on the device.

    Attributes
    ----------
    best
        The best weights of those that were judged.
    missing
        What to do for a score; "" if there is one, or none was asked for.
    """

    def __init__(
        self,
        config: TrainConfig,
        judge: Judge,
        start: Incumbent | None,
        start_name: str,
        split: Split,
        revive: Callable[[Kept], Network],
    ) -> None:
        self.judge, self.start, self.best = judge, start, Best()
        self._config, self._start_name, self._revive = config, start_name, revive
        self._unjudged = False  # whether the labels have changed since the best weights were judged
        self.missing = ""
        self._why = ""
        self.describe(split)

    @property
    def pixels(self) -> int:
        """How many pixels are predicted each time."""
        return self.judge.pixels + (0 if self.start is None else self.start.pixels)

    @property
    def judges(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.judge.samples) or self.start is not None

    def look(self, learner: Learner, step: int, *, stopped: bool) -> Validated:
        """Validate the network, and keep its weights if they are the best so far.

        Parameters
        ----------
        learner
            What has the network.
        step
            Number of steps that were made.
        stopped
            Whether the training has not come to its end, as of `verdict`.
        """
        judge, best = self.judge, self.best
        if self._unjudged:
            self._judge_again()
        enough = best.enough(judge.uncertainty(best.highest or 0.0))
        score = judge.score(learner.judged, enough)
        if self.start is not None:
            if self.start.fresh and step:
                self.start.compare(self._revive(self.start.kept))
            self.start.compare(learner.judged)

        def take() -> Kept:
            return Kept(learner.state(), judge.task, step, score)

        better = best.judged(score, enough, take)
        if score is not None:  # losses of single batches, or nothing, move no schedule
            learner.schedule.judged(score)
        message = "" if score is not None else judge.message or self._why
        name, verdict = judge.task.score_name, self.say(score, stopped=stopped)
        return Validated(step, score, name, better, message, verdict)

    def choose(self, step: int, *, diverged: bool) -> Kept:
        """Return the weights that are the best choice after so many steps."""
        if self.start is not None and self.start.stays:
            return self.start.kept
        kept = self.best.kept
        # A score of 0 tells no weights apart, so that the later ones are the better ones.
        if kept is None or not (kept.score or kept.step == step or diverged):
            return Kept(None, self.judge.task, step, None)
        return kept

    def verdict(self, kept: Kept, step: int, *, stopped: bool) -> str:
        """Return what the score of the chosen weights means, or what a score needs."""
        if kept.step or not (step and self._start_name):
            return self.say(kept.score, stopped=stopped)
        if self.start is not None:
            return self.start.describe()
        return kept_start(self._start_name, self.judge.cells)

    def say(self, score: float | None, *, stopped: bool) -> str:
        """Return what a score means, or what a score needs."""
        if score is None:
            return self.missing
        config = self._config
        return judgement(score, task=config.task, cells=self.judge.cells, finished=not stopped)

    def repaint(self, judged: list[Sample], compared: list[Sample], *, divided: bool) -> None:
        """Judge by other labels from now on.

        Parameters
        ----------
        judged
            What of the held-out part is judged.
        compared
            What a start is compared on where nothing is held out.
        divided
            Whether something is held out for the first time.
        """
        self.judge.show(judged)
        if divided and self.start is not None:
            if self.start.stays:  # from now on it is a candidate like any other
                self.best.kept = self.start.kept
            self.start = None
        if self.start is not None:
            self.start.show(compared)
        if not judged:
            self.best = Best()
        self._unjudged = self.best.kept is not None and self.best.kept.state is not None

    def snapshot(self) -> dict[str, Any]:
        """Return what decides which weights are chosen."""
        start = self.start
        return {
            "best": self.best.snapshot(),
            "task": self.judge.task.to_dict(),
            "unjudged": self._unjudged,
            "start": None if start is None else {"kept": start.kept.snapshot(), **start.snapshot()},
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on after `snapshot`."""
        self.best.restore(snapshot["best"])
        self.judge.task = make_task(snapshot["task"])
        self._unjudged = bool(snapshot["unjudged"])
        start = snapshot["start"]
        if self.start is None or start is None:
            self.start = None
            return
        self.start.kept = Kept.of(start["kept"])
        self.start.restore(start)

    def _judge_again(self) -> None:
        """Give the best weights the score that they have by the labels of now."""
        self._unjudged = False
        kept, self.best = self.best.kept, Best()
        if kept is None:
            return
        score = self.judge.score(self._revive(kept), None)
        self.best.judged(score, None, lambda: replace(kept, task=self.judge.task, score=score))

    def describe(self, split: Split) -> None:
        """Know what is painted now, for what is said of a score."""
        self.missing = what_is_missing(split, self._config.task, self._config.validation)
        self._why = split.message

    def without_score(self, step: int) -> Validated:
        """Return the event that says why there is no score after so many steps."""
        judge = self.judge
        message = judge.message or self._why
        return Validated(step, None, judge.task.score_name, False, message, self.missing)
