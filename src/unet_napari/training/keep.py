"""When the model of a running training is saved, so that little is lost whatever ends it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from unet_napari.errors import OutputError, warn_user
from unet_napari.training.events import Finished, Step, Validated

if TYPE_CHECKING:
    from collections.abc import Callable

    from unet_napari.model.model import Model
    from unet_napari.training.events import TrainEvent
    from unet_napari.training.trainer import Trainer

__all__ = ["Keeper"]

_SHARE = 1 / 30  # of the time that saving may take
_AT_RISK = 1 / 50  # of a training that a crash may lose
_SOONEST, _LATEST = 1.0, 20.0  # seconds between two saves


class Keeper:
    """Saves the model of a training: after the first step, now and then, and when it gets better.

    All of that happens with and without a score, so that neither a crash nor a Stop that has no
    time for anything can lose more than the last moments. Where there is a score, the best model
    is in the file and stays there until there is a better one.

    Parameters
    ----------
    trainer
        The training.
    save
        Writes a model to its file.
    clock
        Returns seconds.
    exists
        Tells whether the file is still there.

    Attributes
    ----------
    saved_step
        Step of the model in the file; None while there is no file.
    """

    def __init__(
        self,
        trainer: Trainer,
        save: Callable[[Model], None],
        clock: Callable[[], float] = time.monotonic,
        exists: Callable[[], bool] = lambda: True,
    ) -> None:
        self._trainer, self._write, self._clock = trainer, save, clock
        self._exists = exists
        self._started = self._saved_at = clock()
        self._took = 0.0
        self.saved_step: int | None = None
        self._complete = False  # with its thumbnail

    def update(self, event: TrainEvent) -> None:
        """Save the model if an event of the training is a reason to."""
        if isinstance(event, Finished):
            self._save(complete=True)
        elif isinstance(event, Validated) and event.best and event.score is not None:
            if event.step:  # before the first step it is the model that training starts from
                self._save_on_the_way(complete=True)
        elif isinstance(event, Step) and self._due():
            self._save_on_the_way(complete=False)

    def stop(self, *, complete: bool = True) -> None:
        """Save what a training that was stopped leaves, the weights before all else.

        Nothing is saved before the first step: an untrained model is no result.

        Parameters
        ----------
        complete
            Whether the thumbnail is made as well, which takes a moment.
        """
        if self._trainer.steps == 0:
            return
        if self._is_old():
            self._save(complete=False)
        if complete and not self._complete:
            self._save(complete=True)

    def _due(self) -> bool:
        if self.saved_step is None:
            return True
        now = self._clock()
        at_risk = min(_LATEST, _AT_RISK * (now - self._started))
        wait = max(_SOONEST, self._took / _SHARE, at_risk)
        return now - self._saved_at >= wait and self._is_old()

    def _is_old(self) -> bool:
        """Tell whether the file is not that of the best model, or was deleted."""
        return self._trainer.best_step != self.saved_step or not self._exists()

    def _save_on_the_way(self, *, complete: bool) -> None:
        """Save; where that fails, the training goes on, and it is tried again later."""
        try:
            self._save(complete=complete)
        except OutputError as error:
            if self.saved_step is None:  # the first time: nothing is lost yet
                raise
            self._saved_at = self._clock()
            warn_user(f"Training goes on, but: {error}", stacklevel=2)

    def _save(self, *, complete: bool) -> None:
        begin = self._clock()
        model = self._trainer.best_model(thumbnail=complete)
        self._write(model)
        self.saved_step, self._complete = model.provenance["step"], complete
        self._saved_at = self._clock()
        self._took = self._saved_at - begin
