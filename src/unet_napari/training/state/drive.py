"""A training from its beginning, or from where it was stopped, to its end, keeping its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.system.atomic import check_output
from unet_napari.training.config import TrainConfig
from unet_napari.training.events import Resting
from unet_napari.training.start.given import given_start
from unet_napari.training.state.kept_state import KeptState
from unet_napari.training.state.resume import resume_training
from unet_napari.training.trainer import Trainer

if TYPE_CHECKING:
    from unet_napari.model.model import Model
    from unet_napari.training.data.pairs import Pair
    from unet_napari.training.events import TrainEvent

__all__ = ["drive_training", "make_trainer"]


def make_trainer(
    pairs: Sequence[Pair],
    settings: Mapping[str, Any],
    start_from: Model | str | Path | None,
    resume: str | Path | None,
) -> Trainer:
    """Return a trainer that begins, or one that goes on.

    Parameters
    ----------
    pairs
        Images with their labels.
    settings
        Fields of a `TrainConfig`; those of a training that goes on need not be given again.
    start_from
        Start as `given_start` takes it; a training that goes on has its own weights.
    resume
        The state file of the training that goes on; None: a new one begins.
    """
    if resume is not None:
        return resume_training(pairs, resume, settings)
    return Trainer(pairs, TrainConfig.from_dict(settings), given_start(start_from))


def drive_training(
    trainer: Trainer, state: str | Path | None, on_event: Callable[[TrainEvent], None] | None
) -> Model:
    """Train to the end, or as long as there is something to gain, and return the best model.

    Parameters
    ----------
    trainer
        The training.
    state
        The file in which its state is kept, also where an exception ends it; None: it is not kept.
    on_event
        Is called with each event.
    """
    kept = None
    if state is not None:
        path = Path(state)
        check_output(path, overwrite=True)
        kept = KeptState(trainer, path, path.stem, path.with_suffix(".unet"))
    try:
        for event in trainer.run():
            if kept is not None:
                kept.update(event)
            if on_event is not None:
                on_event(event)
            if isinstance(event, Resting):
                break
    finally:
        if kept is not None:
            kept.stop()
    return trainer.best_model()
