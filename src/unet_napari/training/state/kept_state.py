"""The state of a running training, written to its file now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.errors import OutputError, warn_user
from unet_napari.labels.label_axes import labels_axes
from unet_napari.training.events import Finished, Resting
from unet_napari.training.state.flatten import flatten
from unet_napari.training.state.state_file import write_state
from unet_napari.training.state.stored_paint import PackedPaint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.geometry import Box
    from unet_napari.labels.sparse import SparseArray
    from unet_napari.training.events import TrainEvent
    from unet_napari.training.trainer import Trainer

__all__ = ["KeptState"]

_SHARE = 1 / 30  # of the time that writing may take
_AT_RISK_SHARE = 1 / 50  # of a training that a crash may lose
_SOONEST, _LATEST = 5.0, 60.0  # seconds between two states, which are larger than a model
_AFTER_PAINT = 3.0  # seconds until new paint is in the file
_BYTES_PER_SECOND = 10e6  # that are written in the mean at most, for the life of the disk


class KeptState:
    """Writes the state of a training: after the first step, now and then, and at its end.

    Parameters
    ----------
    trainer
        The training.
    path
        The file.
    model_name, model_path
        What the user calls the model, and its file.
    clock
        Returns seconds.
    """

    def __init__(
        self,
        trainer: Trainer,
        path: Path,
        model_name: str,
        model_path: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trainer, self._path = trainer, path
        self._model = {"model_name": model_name, "model_path": str(model_path)}
        self._clock, self._started = clock, clock()
        self._written_at, self._took, self._size = -math.inf, 0.0, 0
        self._painted = False  # since it was written
        self._packed: dict[str, PackedPaint] = {}
        self._known: dict[str, int] = {}  # how many of the changed boxes were packed

    def update(self, event: TrainEvent) -> None:
        """Write the state if an event of the training is a reason to, or if it is time."""
        now = self._clock()
        at_risk = _AT_RISK_SHARE * (now - self._started)
        wait = min(_LATEST, max(_SOONEST, at_risk))
        spared = max(self._took / _SHARE, self._size / _BYTES_PER_SECOND)
        wait = max(_AFTER_PAINT if self._painted else wait, spared)
        if isinstance(event, Finished | Resting) or now - self._written_at >= wait:
            self.stop()

    def painted(self) -> None:
        """Take note of new paint, which must not be lost."""
        self._painted = True

    def stop(self) -> None:
        """Write what a training that is stopped leaves; where that fails, the user is told."""
        if self._trainer.steps == 0:
            return
        began = self._clock()
        try:
            self.write()
        except OutputError as error:
            warn_user(f"The training could not be continued later: {error}", stacklevel=2)
        else:
            self._size = self._path.stat().st_size
        self._painted = False
        self._written_at = self._clock()
        self._took = self._written_at - began

    def write(self) -> None:
        """Write the file in one step.

        Raises
        ------
        OutputError
            If it cannot be written. The one that was there is then intact.
        """
        trainer = self._trainer
        arrays: dict[str, NDArray[Any]] = {}
        images, dtypes = self._paint(arrays)
        config = trainer.config
        head = {
            **self._model,
            "task": config.task,
            "ndim": config.ndim,
            "step": trainer.steps,
            "seconds": round(trainer.seconds, 2),
            "score": trainer.score,
            "score_name": trainer.score_name,
            "curve": {"losses": trainer.curve.losses, "scores": trainer.curve.scores},
            "config": config.to_dict(),
            "images": images,
            "course": trainer.course,
        }
        facts = {
            "head": head,
            "dtypes": dtypes,
            "decisions": trainer.prepared.decisions().to_dict(),
            "training": flatten(trainer.snapshot(), "training", arrays),
        }
        write_state(self._path, facts, arrays)

    def _paint(self, arrays: dict[str, NDArray[Any]]) -> tuple[list[dict[str, Any]], list[str]]:
        """Pack what is painted; return what the head says of the images, and types of labels."""
        painted = self._trainer.prepared.painted
        images, dtypes = [], []
        for number, print_ in enumerate(painted.prints):
            paint = painted.paint(number)
            image, file = painted.pairs[number].image, painted.pairs[number].file
            source = image.source and image.source.absolute()
            arrays.update(self._pack(f"labels.{number}", paint.labels, paint.changed))
            if paint.annotated is not None:
                arrays.update(self._pack(f"annotated.{number}", paint.annotated, paint.changed))
            dtypes.append(paint.labels.dtype.name)
            images.append(
                {
                    "name": image.name,
                    "source": file or (None if source is None else str(source)),
                    "fingerprint": print_,
                    "shape": list(paint.labels.shape),
                    "painted": paint.painted,
                    "background": list(paint.raw.background),
                    "removed": number in painted.removed,
                    "axes": labels_axes(image),
                    "image_axes": image.axes,
                    "fixed": dict(image.fixed),
                    "pixel_size": dict(image.pixel_size),
                }
            )
        return images, dtypes

    def _pack(
        self, name: str, array: SparseArray, changed: Sequence[Box]
    ) -> dict[str, NDArray[Any]]:
        """Pack an array, of which only the blocks that have changed are packed anew."""
        packed = self._packed.setdefault(name, PackedPaint())
        for box in changed[self._known.get(name, 0) :]:
            packed.forget(box)
        self._known[name] = len(changed)
        return packed.pack(name, array)
