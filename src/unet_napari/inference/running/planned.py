"""A segmentation that is planned, so that the user is told how long it takes.

It follows from that whether the run can be resumed after a stop. Then a `SegmentationRun` makes
room for it and begins.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from unet_napari.inference.progress import PlanSummary, Progress
from unet_napari.inference.rescale import rescale_image
from unet_napari.inference.running.linking import is_linked
from unet_napari.inference.running.predictor import Predictor
from unet_napari.inference.running.sampling import spread
from unet_napari.inference.stacks import smoothed_stack, stack_scale
from unet_napari.inference.views import split_views

if TYPE_CHECKING:
    from unet_napari.geometry import Box
    from unet_napari.images import Image, Scale
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.views import View
    from unet_napari.tasks import Task
    from unet_napari.tasks.decoding.stack import StackDecoder

__all__ = ["Segmentation", "tail_of"]


class Segmentation:
    """A segmentation that is planned: it is known how each view of the image is predicted.

    Parameters
    ----------
    image : Image
        May have time points, and slices for a 2D model.
    prepared : PreparedModel
        Model that segments.
    out : array-like
        Takes the labels, ([T,] *S).
    config : InferenceConfig
        What the user wants.
    scale : Scale
        Brightness of the image.
    factors : tuple of float
        By what the image is to be enlarged, per axis of the network.

    Attributes
    ----------
    views : list of View
        What the network is shown, one after the other.
    shape : tuple of int
        Shape of each view as the network sees it.
    task : Task
        What the network's output means.
    predictor : Predictor
        What computes the maps.
    decoder : Task or StackDecoder
        What makes labels of maps.
    is_linked : bool
        Whether cells keep their numbers over time.
    joins : bool
        Whether the slices of a stack are decoded together.
    together : int
        Number of views that are decoded together: all slices of a stack, or 1.
    decoded_shape : tuple of int
        Shape of the labels that are made together, as the network sees them.
    """

    def __init__(
        self,
        image: Image,
        prepared: PreparedModel,
        out: Writable,
        config: InferenceConfig,
        scale: Scale,
        factors: tuple[float, ...],
    ) -> None:
        model = prepared.model
        stack = stack_scale(image, model, config, factors)
        self.views = split_views(smoothed_stack(image, stack), model.ndim)
        self.task, self.out, self.scale = model.task, out, scale
        self.slicewise = image.ndim > model.ndim
        size = self.views[0].image.shape
        self.shape = tuple(max(1, round(n * f)) for n, f in zip(size, factors, strict=True))
        self._stack = stack
        self.decoder = self.decoder_for(model.task)
        self.is_linked = is_linked(image, model, config)
        self.joins = self.decoder is not model.task
        self.together = image.shape[0] if self.joins else 1
        self.decoded_shape = (image.shape[0], *self.shape) if self.joins else self.shape
        examples = ((self.seen(view), scale.of(view.image)) for view in spread(self.views))
        self.predictor = Predictor(prepared, self.shape, config, examples)

    @property
    def is_rescaled(self) -> bool:
        """Whether the network sees the views in another shape than they have."""
        return self.shape != self.views[0].image.shape

    def decoder_for(self, task: Task) -> Task | StackDecoder:
        """Return what makes labels of the maps with the thresholds of a task."""
        return (None if self._stack is None else task.stack_decoder(self._stack)) or task

    def reserve(self, kept: KeptMaps, memory: int) -> bool:
        """Make room for the maps that are kept after the run; tell whether there is any."""
        size = self.views[0].image.shape
        indices = [view.index for view in self.views[:: self.together]]
        context = 0
        if self.joins:
            size, indices = (self.together, *size), [index[:-1] for index in indices]
        if self._stack is not None:
            context = math.ceil(self._stack.diameter / self._stack.spacing / 2)
        return kept.reserve(self.task, indices, size, self.decoded_shape, memory, context)

    def rest(self) -> Segmentation:
        """Return what decoding needs of it, which holds no pixels of the image and no network."""
        rest = copy(self)
        rest.views = [view.emptied() for view in self.views]
        del rest.predictor, rest.scale
        return rest

    def seen(self, view: View) -> Image:
        """Return a view as the network sees it; nothing is read yet."""
        return rescale_image(view.image, self.shape)

    def start(self) -> Progress:
        """Return what is told before anything is computed: the plan."""
        step = self.progress(0, 0, self.predictor.work, self.predictor.stage)
        return replace(step, plan=self.summary(len(self.views)))

    def summary(self, images: int = 1) -> PlanSummary:
        """Return the plan for the user, see `Predictor.summary`."""
        by_frame = self.scale.drift is not None
        return replace(self.predictor.summary(images), by_frame=by_frame)

    def progress(
        self, position: int, done: int, work: int, stage: str, written: Box | None = None
    ) -> Progress:
        """Return how far all views are.

        Parameters
        ----------
        position : int
            Number of the view that is worked on.
        done : int
            Steps done on this view.
        work : int
            Steps of a view that are prediction; to them come those of decoding, see `tail_of`.
        stage : str
            What is being done, in words for the user.
        written : Box, optional
            Part of the result in which there are new labels.
        """
        steps = work + tail_of(work)
        # Views that are decoded together are all predicted before that.
        among = position % self.together
        before = (position - among) * steps + among * work
        spans = None if written is None else written.spans  # of plain tuples, for JSON
        return Progress(before + done, len(self.views) * steps, stage, spans)


def tail_of(work: int) -> int:
    """Return the steps of a view that are decoding, if so many are prediction."""
    return work // 10 + 1
