"""The live prediction: what the network in training makes of the part that the user sees."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.protocol import Preview
from unet_napari.engine.worker.open_images import open_image
from unet_napari.engine.worker.rank_doubts import PaintedPart, doubtful_now
from unet_napari.errors import UnetNapariError, without_warnings
from unet_napari.images import measure_scale
from unet_napari.inference import InferenceConfig, result_shape, segment_steps
from unet_napari.inference.running.kept_maps import KeptMaps
from unet_napari.system.device import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from unet_napari.engine.requests import ImageRef, PreviewRequest
    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.images import Image, Scale
    from unet_napari.training import Trainer

__all__ = ["LivePreview"]

_INTERVAL = 2.0  # seconds between two previews of the same view
# After a preview there is none for this many times its duration: previews take a quarter of the
# time at most.
_REST_FACTOR = 3.0


class LivePreview:
    """Answers the preview requests of a training job, between its steps.

    Parameters
    ----------
    trainer
        Trainer whose present network predicts.
    whole
        The image whose parts are shown: its brightness statistics count.
    context
        Context that gives requests and takes previews.
    clock
        Returns seconds.
    """

    def __init__(
        self,
        trainer: Trainer,
        whole: Image,
        context: JobContext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trainer, self._whole, self._context, self._clock = trainer, whole, context, clock
        self._request: PreviewRequest | None = None
        self._asked = False  # for a view that was not shown yet
        self._scale: Scale | None = None
        self._rest_until = self._repeat_at = 0.0

    def ask(self, request: PreviewRequest) -> None:
        """Take note of what is to be shown from now on."""
        self._request = request
        self._asked = True
        self._repeat_at = 0.0

    @property
    def wait(self) -> float | None:
        """Seconds until the view that was asked for last can be shown; None if it was."""
        if not self._asked or self._request is None or self._request.image is None:
            return None
        return max(0.0, self._rest_until - self._clock())

    def update(self, step: int) -> None:
        """Send a preview if one is due after this training step."""
        start = self._clock()
        if self._request is None or start < max(self._rest_until, self._repeat_at):
            return
        if self._request.image is None:
            return
        self._asked = False
        try:
            self._predict(self._request.image, self._request, step)
        except Exception as error:
            # Training goes on without.
            if not isinstance(error, UnetNapariError) and not is_out_of_memory(error):
                raise
            why = error if isinstance(error, UnetNapariError) else "there is not enough memory."
            self._context.warn(f"There is no live prediction: {why}")
            self._request = None
        end = self._clock()
        self._rest_until = end + _REST_FACTOR * (end - start)
        self._repeat_at = end + _INTERVAL

    def _predict(self, reference: ImageRef, request: PreviewRequest, step: int) -> None:
        model = self._trainer.model
        if self._scale is None:
            self._scale = measure_scale(model.normalisation, self._whole, quiet=True)
        statistics = self._scale.at(request.frame)
        image = open_image(reference, self._context)
        labels = np.zeros(result_shape(image), np.uint32)
        # torch, as preparing another backend for weights that change pays off for no preview.
        config = InferenceConfig(
            device=self._trainer.config.device,
            backend="torch",
            diameter="model",  # what the network learns from, at the scale it learns at
            slicewise=image.ndim > model.ndim,
        )
        # A network that still learns is unsure of much.
        with without_warnings("Check the result"), KeptMaps() as kept:
            options: dict[str, Any] = {"statistics": statistics, "kept": kept}
            for _ in segment_steps(image, model, labels, config, **options):
                if self._context.cancelled:
                    return
            doubtful = doubtful_now(kept, model.task, self._painted(request, image.spatial_axes))
        result, shared = self._context.folder.allocate(labels.shape, labels.dtype)
        shared[...] = labels
        self._context.send(Preview(step, request.key, result, doubtful))

    def _painted(self, request: PreviewRequest, axes: str) -> PaintedPart | None:
        """Return what is painted on a part, along its spatial axes; None if nobody says where."""
        if not request.place:
            return None
        paint = self._trainer.prepared.painted.paint(0).raw
        letters = [letter for letter in self._whole.axes if letter in "TZYX"]
        if len(letters) != len(paint.labels.shape):
            return None
        key = tuple(slice(*request.place.get(letter, (0, 1))) for letter in letters)
        part = np.asarray(paint.labels[key])
        inside = [letter for letter in letters if letter in axes]
        away = tuple(n for n, letter in enumerate(letters) if letter not in axes)
        part = part.squeeze(away).transpose([inside.index(letter) for letter in axes])
        known = paint.background[:1]
        if len(paint.background) > 1:  # another number was chosen meanwhile
            part = np.where(np.isin(part, paint.background), known[0], part)
        return PaintedPart(part, known[0] if known else None)
