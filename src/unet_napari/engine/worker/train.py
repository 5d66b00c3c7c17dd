"""How a model is trained, with paint that joins while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.live_requests import PaintTaken, PaintUpdate, PairAdded, PairRemoved
from unet_napari.engine.protocol import Saved
from unet_napari.engine.requests import PreviewRequest
from unet_napari.engine.worker.job_context import Cancelled
from unet_napari.engine.worker.live_preview import LivePreview
from unet_napari.engine.worker.open_images import open_pair
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.errors import LabelsError, ModelFileError, UnetNapariError
from unet_napari.model.schema import check_name
from unet_napari.model.versions import keep_version
from unet_napari.system.atomic import check_output
from unet_napari.training import Finished, Resting, Started, Step, TrainConfig, Trainer
from unet_napari.training.keep import Keeper
from unet_napari.training.start.given import given_start
from unet_napari.training.state.kept_state import KeptState
from unet_napari.training.state.resume import resume_training

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.engine.requests import TrainJob
    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.model.model import Model
    from unet_napari.training import Pair

__all__ = ["run_training"]

_LONG_WAIT = 3600.0  # seconds; whoever rests is woken by any command


def run_training(job: TrainJob, context: JobContext) -> dict[str, Any]:
    """Train a model; see `TrainJob`."""
    check_output(Path(job.output), overwrite=True)
    check_name(job.name)
    SHELF.clear()  # a training needs the memory
    pairs = [open_pair(reference, context) for reference in job.pairs]
    trainer = _trainer(job, pairs)
    state = None
    if job.state is not None:
        check_output(Path(job.state), overwrite=True)
        state = KeptState(trainer, Path(job.state), job.name, Path(job.output))
    saved: Saved | None = None

    def save(model: Model) -> None:
        nonlocal saved
        if saved is None:  # another session's model becomes a version
            keep_version(Path(job.output))
        saved = _save(model, trainer.verdict, job, context)

    keeper = Keeper(trainer, save, exists=Path(job.output).exists)
    told = _Told(trainer, job, pairs, state, context)
    with closing(trainer.run()) as events:
        for event in events:
            keeper.update(event)
            if state is not None:
                state.update(event)
            if saved and isinstance(event, Finished):
                return saved.result(event.step, event.reason, stopped=False)
            context.send(event)
            if isinstance(event, Resting):
                told.rest(event.step)
            else:
                told.listen()
            if context.cancelled:
                break
            # Whoever has learnt something already has something to show at once.
            knows = bool(trainer.steps or trainer.prepared.decided.start)
            if isinstance(event, Step) or (knows and isinstance(event, Started)):
                told.preview.update(trainer.steps)
    keeper.stop(complete=False)
    if state is not None:  # with the latest paint: a slow computer may have no time for more
        state.stop()
    keeper.stop()
    if saved is None:
        raise Cancelled
    return saved.result(trainer.steps, "Stopped.", stopped=True)


def _trainer(job: TrainJob, pairs: Sequence[Pair]) -> Trainer:
    """Return the trainer of a job: a new one, or one that goes on."""
    if job.resume:
        if job.state is None:
            raise ModelFileError("There is no training to continue: no state was kept.")
        return resume_training(pairs, job.state, job.config)
    return Trainer(pairs, TrainConfig.from_dict(job.config), given_start(job.start_from))


class _Told:
    """What a running training is told: views to predict, and new paint.

    Parameters
    ----------
    trainer
        The training.
    job, pairs
        Description of the training, and its pairs.
    state
        State that is told of new paint; None where no state is kept.
    context
        Context that gives commands and takes answers.
    """

    def __init__(
        self,
        trainer: Trainer,
        job: TrainJob,
        pairs: Sequence[Pair],
        state: KeptState | None,
        context: JobContext,
    ) -> None:
        self._trainer, self._state, self._context = trainer, state, context
        self._layers = [reference.labels.shape for reference in job.pairs]
        self._shapes = [pair.shape for pair in pairs]
        self.preview = LivePreview(trainer, pairs[0].image, context)

    def rest(self, step: int) -> None:
        """Wait for new paint or the end of the job; predict what is looked at meanwhile."""
        while not self._context.cancelled:
            pause = self.preview.wait
            if self.listen(_LONG_WAIT if pause is None else max(pause, 1e-3)):
                return
            if self.preview.wait is not None and not self._context.cancelled:
                self.preview.update(step)

    def listen(self, wait: float = 0.0) -> bool:
        """Do what the training was told; return whether there is new paint."""
        number = None
        for command in self._context.take_commands(wait):
            if isinstance(command, PreviewRequest):
                self.preview.ask(command)
            elif isinstance(command, PaintUpdate | PairAdded | PairRemoved):
                number = command.number
                try:
                    self._take(command)
                except UnetNapariError as error:  # the training goes on without
                    self._context.warn(str(error))
        if number is None:
            return False
        training, validation = self._trainer.take_updates()
        if self._state is not None:
            self._state.painted()
        self._context.send(PaintTaken(number, training, validation))
        return True

    def _take(self, command: PaintUpdate | PairAdded | PairRemoved) -> None:
        if isinstance(command, PairRemoved):
            self._trainer.remove(command.pair)
            return
        if isinstance(command, PairAdded):
            pair = open_pair(command.pair, self._context)
            self._trainer.add(pair)
            self._layers.append(command.pair.labels.shape)
            self._shapes.append(pair.shape)
            return
        number = command.pair
        if not 0 <= number < len(self._shapes):
            raise LabelsError(f"There is no image {number} in this training.")
        labels: NDArray[Any] = np.asarray(command.labels)
        annotated = None if command.annotated is None else np.asarray(command.annotated)
        layer, image = self._layers[number], self._shapes[number]
        start, shape = _along_axes(command.start, labels.shape, layer, image)
        known = None if annotated is None else annotated.reshape(shape)
        self._trainer.update(
            number, start, labels.reshape(shape), known, background=command.background
        )


def _along_axes(
    start: tuple[int, ...], shape: tuple[int, ...], layer: tuple[int, ...], image: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return start and shape of a box of a layer's labels along the axes of the image's labels.

    The shapes of both may differ in axes of length 1.
    """
    if len(start) != len(layer) or len(shape) != len(layer):
        raise LabelsError(
            f"New paint of the shape {shape} at {start} does not lie within labels of the shape "
            f"{layer}."
        )
    wide = [(a, n) for a, n, size in zip(start, shape, layer, strict=True) if size > 1]
    if len(wide) != sum(size > 1 for size in image):
        return start, shape
    parts = iter(wide)
    fitted = [next(parts) if size > 1 else (0, 1) for size in image]
    return tuple(a for a, _ in fitted), tuple(n for _, n in fitted)


def _save(model: Model, verdict: str, job: TrainJob, context: JobContext) -> Saved:
    path = replace(model, name=job.name).save(job.output)
    about = model.provenance
    saved = Saved(str(path), about["score"], about["score_name"], about["step"], verdict)
    context.send(saved)
    return saved
