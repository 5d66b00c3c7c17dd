"""A region of an image, segmented piece by piece as it would be in the whole image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.geometry import Box
from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.progress import Progress, with_time_left
from unet_napari.inference.regions.linked import link_frames
from unet_napari.inference.regions.picking import RegionTarget, pick_objects
from unet_napari.inference.regions.pieces import RegionPiece, pieces_of
from unet_napari.inference.regions.region_cuts import RegionCut, cut_out_of, margins_for
from unet_napari.inference.regions.writing import reader_of, step_within, write_maps
from unet_napari.inference.running.linking import is_linked
from unet_napari.inference.segment import is_blank, say_unfamiliar
from unet_napari.inference.sizes.fitting import decides_itself, is_small
from unet_napari.inference.sizes.scaled_run import ScaledRun, SegmentOptions
from unet_napari.inference.stacks import stack_scale
from unet_napari.inference.views import check_image, find_scale, result_shape

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from unet_napari.images import Image
    from unet_napari.inference.regions.placed import PlacedRegion
    from unet_napari.model.model import Model
    from unet_napari.tasks.decoding.blocks import Store
    from unet_napari.tasks.familiarity import Familiarity

__all__ = ["FoundInRegion", "region_steps"]


@dataclass(frozen=True)
class FoundInRegion:
    """What has become of a region.

    Attributes
    ----------
    windows : list of (tuple of int, Box)
        Where labels may have changed: a position along the first axes of the result, and a box
        along the others.
    objects : int or None
        How many objects belong to it; None for classes.
    highest : int
        No label of the result is higher.
    unfamiliar : str or None
        What is wrong and what helps, where the image is unlike those that the model knows.
    """

    windows: list[tuple[tuple[int, ...], Box]] = field(default_factory=list)
    objects: int | None = None
    highest: int = 0
    unfamiliar: str | None = None


def region_steps(
    image: Image,
    model: Model | PreparedModel,
    region: PlacedRegion,
    out: Store,
    config: InferenceConfig | None = None,
    *,
    highest: int = 0,
    maps: Store | None = None,
) -> Generator[Progress, None, FoundInRegion]:
    """Segment a region of an image, step by step; stop by no longer asking.

    Only the region and its surroundings are computed, as much of them as its labels depend on:
    they are those of the whole image, but for their numbers. An object belongs to the region if at
    least half of its pixels lie in it, and is whole then; of classes, the pixels in the region
    count. At which size the objects are segmented is decided by the whole image, as is its
    brightness.

    Parameters
    ----------
    image : Image
        The whole image.
    model : Model or PreparedModel
        The model, which is left as it is.
    region : PlacedRegion
        The region on this image. Where a 2D model meets a piece of it that lies in one slice of a
        stack, that slice is segmented by itself.
    out : array-like
        Integers of the shape `result_shape`, which are read as well. What does not belong to the
        region stays as it is.
    config : InferenceConfig, optional
        Settings of the prediction.
    highest : int
        No label in `out` is higher; 0: it holds none. New numbers lie above it.
    maps : array-like, optional
        float32, (K, [T,] *S), for the probability maps within the region.

    Raises
    ------
    ImageError, ResourceError, SettingsError
        See `unet_napari.inference.segment_steps`.

    Warns
    -----
    UnetNapariWarning
        See `unet_napari.inference.segment_steps`.
    """
    config = config or InferenceConfig()
    SegmentOptions(maps=maps).check(config)
    prepared = model if isinstance(model, PreparedModel) else PreparedModel.of(model)
    return with_time_left(_region_steps(image, prepared, region, out, config, highest, maps))


def _region_steps(
    image: Image,
    prepared: PreparedModel,
    region: PlacedRegion,
    out: Store,
    config: InferenceConfig,
    highest: int,
    maps: Store | None,
) -> Generator[Progress, None, FoundInRegion]:
    model = prepared.model
    check_image(image, model, config)
    linked = is_linked(image, model, config)
    scale = find_scale(image, model, None)
    separate = model.task.kind.separates_objects
    if separate and is_blank(scale.whole):
        yield Progress(1, 1, "the image has no contrast, so there is no object")
        return FoundInRegion(objects=0, highest=highest)
    run = ScaledRun(image, prepared, out, config, SegmentOptions(), scale)
    whole: NDArray[np.uint32] | None = None
    if maps is not None or not decides_itself(model, config):
        diameter = yield from run.asked()
    elif is_small(image, model):
        whole = np.zeros(result_shape(image), np.uint32)
        run = replace(run, out=whole)
        _, diameter = yield from _without_end(run.judged())
    else:
        diameter = yield from run.fitting()
    work = _RegionWork(run, region, diameter, whole, RegionTarget(out, highest), maps)
    windows = yield from work.steps()
    target = work.target
    if linked:
        target.highest = link_frames(out, windows, highest)
    said = say_unfamiliar(work.familiarity, model, run.factors(diameter))
    return FoundInRegion(
        windows, target.count if separate else None, target.highest, unfamiliar=said
    )


def _without_end(steps: Generator[Progress, None, Any]) -> Generator[Progress, None, Any]:
    """Yield steps after which the work goes on, so that none of them is the last."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        yield replace(step, done=0, region=None)


class _RegionWork:
    """The pieces of a region on their way.

    Attributes
    ----------
    target : RegionTarget
        The result.
    familiarity : Familiarity or None
        Facts of the first piece that is unlike what the model knows, else of any.
    """

    def __init__(
        self,
        run: ScaledRun,
        region: PlacedRegion,
        diameter: float | None,
        whole: NDArray[np.uint32] | None,
        target: RegionTarget,
        maps: Store | None,
    ) -> None:
        self._run, self._region, self._diameter = run, region, diameter
        self._whole, self._maps, self.target = whole, maps, target
        self.familiarity: Familiarity | None = None
        image, prepared, config = run.image, run.prepared, run.config
        factors = run.factors(diameter)
        joins = stack_scale(image, prepared.model, config, factors) is not None
        margins = {
            stacked: margins_for(image, prepared, config, factors, stacked=stacked)
            for stacked in ((False, True) if joins else (False,))
        }
        self._pieces = pieces_of(region, image, prepared.model.ndim, margins)
        self._separate = prepared.model.task.kind.separates_objects
        # Axes in front of what the whole image was decoded in.
        decoded = image.ndim if joins else prepared.model.ndim
        self._leading = len(region.shape) - decoded

    def steps(self) -> Generator[Progress, None, list[tuple[tuple[int, ...], Box]]]:
        """Segment one piece after the other; return where labels may have changed."""
        windows, shown = [], 0
        sizes = [piece.margins.cut(piece.box, piece.shape).outer.size for piece in self._pieces]
        total, done = sum(sizes), 0
        for piece, size in zip(self._pieces, sizes, strict=True):
            steps = self._piece(piece)
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    windows.append((piece.index, end.value))
                    break
                step = step_within(step, done, size, total)
                shown = max(shown, step.done)  # a piece may be computed again, with more around it
                yield replace(step, done=shown)
            done += size
        yield Progress(total, total, "the region is segmented")
        return windows

    def _piece(self, piece: RegionPiece) -> Generator[Progress, None, Box]:
        if self._whole is not None and len(piece.index) == self._leading:
            outer = Box.whole(piece.shape)
            return self._write(piece, RegionCut(outer, outer), self._whole[piece.index])
        while True:
            cut = piece.margins.cut(piece.box, piece.shape)
            labels = np.zeros(cut.outer.shape, np.uint32)
            maps = None
            if self._maps is not None:
                count = self._run.prepared.model.task.out_channels
                maps = np.zeros((count, *cut.outer.shape), np.float32)
            options = SegmentOptions(maps=maps)
            part = cut_out_of(self._run.image.select(**piece.selection), cut.outer)
            run = replace(self._run, image=part, out=labels, options=options)
            familiarity = yield from run.at(self._diameter)
            inside = reader_of(self._region, piece, cut)
            if (
                self._separate
                and not cut.is_whole
                and not pick_objects(labels, cut, inside).is_sure
            ):
                piece = piece.with_margins(piece.margins.doubled())
                continue
            self._see(familiarity)
            if maps is not None and self._maps is not None:
                write_maps(self._maps, piece, cut, maps, inside)
            return self._write(piece, cut, labels)

    def _see(self, familiarity: Familiarity | None) -> None:
        known = self.familiarity
        if known is None or (known.describe() is None and familiarity is not None):
            self.familiarity = familiarity

    def _write(self, piece: RegionPiece, cut: RegionCut, labels: Store) -> Box:
        inside = reader_of(self._region, piece, cut)
        if self._separate:
            picked = pick_objects(labels, cut, inside)
            near = piece.margins.cut(piece.box, piece.shape).near
            return self.target.write(piece.index, cut.outer, near, labels, picked, inside)
        place = piece.box.relative_to(cut.outer)
        classes = np.asarray(labels[place.to_slices()])
        self.target.write_classes(piece.index, piece.box, classes, inside(place))
        return piece.box
