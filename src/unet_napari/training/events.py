"""What a training run reports: frozen values that survive JSON, without torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finished", "Resting", "Started", "Step", "TrainEvent", "Validated"]


@dataclass(frozen=True)
class Started:
    """Training begins; everything left to choose has been chosen."""

    chosen: tuple[str, ...]  # one line each: what was chosen, and why
    device: str  # "cpu", "cuda" or "mps"
    patch: tuple[int, ...]
    batch: int
    samples: int  # images or slices that hold annotated pixels
    parameters: int  # trainable numbers in the network
    validation: str  # what is held out, or "too few labels to judge"
    start: str = ""  # name of the model that the training starts from; "": random weights

    def describe(self) -> str:
        """Return the choices, one line each."""
        return "\n".join(self.chosen)


@dataclass(frozen=True)
class Step:
    """One update of the weights was made."""

    step: int  # counted from 1
    epoch: int  # counted from 1
    epochs: int | None  # None where the budget is in seconds
    loss: float
    learning_rate: float
    fraction: float  # of the budget used, 0 to 1
    seconds_left: float  # estimated where the budget is not in seconds

    def describe(self) -> str:
        """Return such as "epoch 12/60 · loss 0.213"."""
        epochs = "" if self.epochs is None else f"/{self.epochs}"
        return f"epoch {self.epoch}{epochs} · loss {self.loss:.3f}"


@dataclass(frozen=True)
class Validated:
    """The held-out regions were predicted and compared with what was painted there."""

    step: int
    score: float | None  # higher is better; None: too few labels to judge
    score_name: str  # such as "AP50"
    best: bool  # the weights of this moment are now the ones that best_model() returns
    message: str  # "" or why there is no score, such as "no score: 3 of 5 cells"
    verdict: str = ""  # what it means, such as "still learning" or "most cells are right"

    def describe(self) -> str:
        """Return such as "AP50 0.740 (best so far), most cells are right"."""
        verdict = f", {self.verdict}" if self.verdict else ""
        if self.score is None:
            return f"{self.message}{verdict}"
        best = " (best so far)" if self.best else ""
        return f"{self.score_name} {self.score:.3f}{best}{verdict}"


@dataclass(frozen=True)
class Finished:
    """Training ended by itself; not sent when the caller stops asking."""

    reason: str  # a sentence
    step: int
    seconds: float
    score: float | None  # of the model that best_model() returns
    score_name: str
    verdict: str = ""  # what the score means, or what a score needs

    def describe(self) -> str:
        """Return the score reached, what it means, and the reason."""
        score = "" if self.score is None else f"{self.score_name} {self.score:.3f}"
        said = ", ".join(part for part in (score, self.verdict) if part)
        return f"{said[:1].upper()}{said[1:]}. {self.reason}" if said else self.reason


@dataclass(frozen=True)
class Resting:
    """A training without an end has nothing to gain at present: no step is made until it has.

    That is so when nothing was changed for a while and the score does not rise any more.
    """

    step: int
    score: float | None  # of the model that best_model() returns; None: it was not judged

    def describe(self) -> str:
        """Return that it rests, and what wakes it."""
        return "Resting: the score does not rise any more. It goes on when you paint."


TrainEvent = Started | Step | Validated | Resting | Finished
