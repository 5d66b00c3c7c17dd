"""A segmentation at the scale that was asked for, or that suits the image; and going on with it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import torch

from unet_napari.errors import SettingsError
from unet_napari.inference.diameter import trial_steps
from unet_napari.inference.progress import Progress
from unet_napari.inference.running.planned import Segmentation
from unet_napari.inference.segmentation import SegmentationRun
from unet_napari.inference.sizes.fitting import FoundObjects, Seen, describe_sizes, fitting_steps
from unet_napari.inference.storage.request_key import request_key
from unet_napari.inference.storage.scratch import Room
from unet_napari.inference.storage.unfinished import Journals
from unet_napari.inference.views import rescale_factors
from unet_napari.system.device import available_memory

if TYPE_CHECKING:
    from collections.abc import Generator

    from unet_napari.images import Image, Scale, Statistics
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.running.machines import Machines
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.storage.unfinished import Begun, Unfinished
    from unet_napari.tasks.familiarity import Familiarity

__all__ = ["ScaledRun", "SegmentOptions"]

_Found = TypeVar("_Found")  # a diameter, or a trial

# Share of the free memory that is used, and share of that for what is kept of the maps of one view;
# the rest is for the network, then for blocks of the maps while they are decoded.
_SHARE_OF_FREE = 0.5
_SHARE_FOR_MAPS = 0.5
# Seconds from which on a run is worth being resumed.
_LONG_RUN = 60.0
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class SegmentOptions:
    """What may be given to `segment_steps` besides the settings.

    Attributes
    ----------
    statistics : Statistics, optional
        Brightness of the whole of which the image is a part, see `find_scale`. By default it is
        measured on the image.
    provisional : bool
        Fill the result while the network runs: the foreground of cells as label 1, until the
        cells are known; classes right away. `Progress.region` says where.
    unfinished : Unfinished, optional
        Place that keeps what is done, if that takes more than a minute, and from where to go on.
    maps : array-like, optional
        float32, (K, [T,] *S), for the probability maps as of `predict_steps`. Not together with
        `unfinished`, nor where the image is rescaled.
    kept : KeptMaps, optional
        Place that keeps the maps after the run, if there is room, to be decoded again. A run that
        `unfinished` keeps, because it takes long, leaves it empty.
    machines : Machines, optional
        Other machines that do the work; then `unfinished` is a folder that all of them see.
    """

    statistics: Statistics | None = None
    provisional: bool = False
    unfinished: Unfinished | None = None
    maps: Writable | None = None
    kept: KeptMaps | None = None
    machines: Machines | None = None

    def check(self, config: InferenceConfig) -> None:
        """Raise `SettingsError` if maps are asked for where there are none of the image itself."""
        if self.maps is not None and (self.unfinished or config.scales):
            raise SettingsError(
                "Probability maps are made at the image's own scale and in one go: leave rescale, "
                "diameter and resuming off, or ask for labels alone."
            )


@dataclass(frozen=True)
class ScaledRun:
    """A segmentation whose scale is still to be decided.

    Attributes
    ----------
    image, prepared, out, config, options
        See `segment_steps`.
    scale : Scale
        Brightness of the image.
    """

    image: Image
    prepared: PreparedModel
    out: Writable
    config: InferenceConfig
    options: SegmentOptions
    scale: Scale

    @cached_property
    def key(self) -> str | None:
        """What tells this request from others; None where that cannot be told."""
        model = self.prepared.model
        key = request_key(self.image, model, self.config, self.scale.whole)
        return f"{key or secrets.token_hex()} in regions" if self.options.machines else key

    @cached_property
    def left(self) -> Begun | None:
        """How an earlier run of this request was begun, if it was stopped."""
        unfinished = self.options.unfinished
        if unfinished is None or not unfinished.left or self.key is None:
            return None
        return unfinished.begun(self.key)

    def asked(self) -> Generator[Progress, None, float | None]:
        """Return the diameter that the user has asked for; None: nothing is scaled by one."""
        diameter = self.config.diameter
        if diameter == "auto":
            best = yield from _beside_the_work(
                trial_steps(self.image, self.prepared, self.config, self.scale)
            )
            return best.diameter
        return None if diameter == "model" else diameter

    def fitting(
        self, found: FoundObjects | None = None, after: Progress | None = None
    ) -> Generator[Progress, None, float | None]:
        """Return the diameter that helps, see `fitting_steps`; `after` is the step before."""
        steps = fitting_steps(self.image, self.prepared, self.config, self.scale, found)
        return (yield from _beside_the_work(steps, after))

    def judged(self) -> Generator[Progress, None, tuple[Familiarity | None, float | None]]:
        """Segment at the model's own scale; again at another, where that helps.

        Returns
        -------
        familiarity : Familiarity or None
            See `at`.
        diameter : float or None
            The diameter that was taken in the end.
        """
        model, seen = self.prepared.model, Seen(self.out)
        last = Progress(0, 1, "")
        steps = self.at(None, seen, decided=False)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                familiarity: Familiarity | None = end.value
                break
            if step.done < step.total:
                yield step
            else:
                last = step  # it says that the result is whole
        found = FoundObjects.within(seen.labels, self.image, model, familiarity)
        del seen.labels  # whoever keeps the maps keeps the result as well
        diameter = yield from self.fitting(found, replace(last, done=last.total - 1))
        if diameter is None:
            yield last
        else:
            familiarity = yield from self.at(diameter)
        return familiarity, diameter

    def factors(self, diameter: float | None) -> tuple[float, ...]:
        """Return by what the image is to be enlarged, per axis of the network."""
        model = self.prepared.model
        if diameter is None and not self.config.rescale:
            return (1.0,) * model.ndim
        return rescale_factors(self.image, model, diameter)

    def at(
        self, diameter: float | None, out: Writable | None = None, *, decided: bool = True
    ) -> Generator[Progress, None, Familiarity | None]:
        """Segment at one scale.

        Parameters
        ----------
        diameter : float or None
            Diameter by which the image is scaled.
        out : array-like, optional
            Takes the labels in place of the result.
        decided : bool
            Whether no other scale is tried afterwards.

        Returns
        -------
        Familiarity or None
            Facts that tell how sure the model was of the image.
        """
        config, options = self.config, self.options
        # A run that goes on takes the memory of the one before, so that the image is cut as it was.
        left = None if self.left is None else self.left.memory
        memory = config.memory or left or int(available_memory(_CPU) * _SHARE_OF_FREE)
        if left:
            config = replace(config, memory=left)
        target = self.out if out is None else out
        factors = self.factors(diameter)
        planned = Segmentation(self.image, self.prepared, target, config, self.scale, factors)
        start, machines = planned.start(), options.machines
        if machines is not None:
            start = replace(start, plan=machines.plan(planned, factors))
        yield self._told(start, diameter)
        memory_of_maps, unfinished = int(memory * _SHARE_FOR_MAPS), options.unfinished
        resumable = unfinished and (left or machines or _takes_long(start)) and self.key
        kept = self._reserved(planned, 0 if resumable else memory)
        with Room(memory_of_maps - (kept.memory if kept else 0)) as room:
            journals = None
            if resumable and unfinished and self.key:
                position = unfinished.begin(self.key, memory, diameter, decided=decided)
                journals = Journals(unfinished, position)
            if machines and unfinished:
                run = machines.run(planned, room, unfinished.folder)
            else:
                rest = int(memory * (1 - _SHARE_FOR_MAPS))
                run = SegmentationRun(planned, room, rest, journals, kept)
            for step in run.steps(provisional=options.provisional, maps=options.maps):
                yield self._told(step, diameter)
        if kept is not None:
            kept.finish(run.rest())
        return run.familiarity

    def _reserved(self, planned: Segmentation, memory: int) -> KeptMaps | None:
        """Return where the maps are kept after the run; None where they are not."""
        kept = self.options.kept
        if kept is None:
            return None
        kept.close()  # what a run at another scale has left
        if not memory:
            return None
        return kept if planned.reserve(kept, int(memory * _SHARE_FOR_MAPS)) else None

    def _told(self, step: Progress, diameter: float | None) -> Progress:
        """Let the plan say at which size the program has decided to segment."""
        if step.plan is None or diameter is None or diameter == self.config.diameter:
            return step
        sizes = describe_sizes(self.prepared.model, diameter)
        return replace(step, plan=replace(step.plan, diameter=diameter, sizes=sizes))


def _beside_the_work(
    steps: Generator[Progress, None, _Found], after: Progress | None = None
) -> Generator[Progress, None, _Found]:
    """Do steps whose number is no part of the whole work, which stays where it was."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: _Found = end.value
            return result
        yield replace(after or step, done=after.done if after else 0, stage=step.stage)


def _takes_long(start: Progress) -> bool:
    return start.plan is not None and (start.plan.seconds or 0) > _LONG_RUN
