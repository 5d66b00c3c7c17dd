"""The probability maps of a region, which are those of the whole image there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.predict import predict_steps
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.progress import Progress, with_time_left
from unet_napari.inference.regions.pieces import pieces_of
from unet_napari.inference.regions.region_cuts import cut_out_of, margins_for
from unet_napari.inference.regions.writing import reader_of, step_within, write_maps
from unet_napari.inference.stacks import stack_scale
from unet_napari.inference.views import check_image, find_scale

if TYPE_CHECKING:
    from collections.abc import Generator

    from unet_napari.images import Image
    from unet_napari.inference.regions.placed import PlacedRegion
    from unet_napari.model.model import Model
    from unet_napari.tasks.decoding.blocks import Store

__all__ = ["predict_region_steps"]


def predict_region_steps(
    image: Image,
    model: Model,
    region: PlacedRegion,
    out: Store,
    config: InferenceConfig | None = None,
) -> Generator[Progress, None, None]:
    """Predict the maps of a region of an image, step by step; stop by no longer asking.

    Parameters
    ----------
    image : Image
        The whole image.
    model : Model
        The model, which is left as it is.
    region : PlacedRegion
        The region on this image, see `region_steps` for stacks.
    out : array-like
        float32, (K, [T,] *S); what lies outside of the region stays as it is.
    config : InferenceConfig, optional
        Settings of the prediction.

    Raises
    ------
    ImageError, ResourceError, SettingsError
        See `unet_napari.inference.predict_steps`.

    Warns
    -----
    UnetNapariWarning
        See `unet_napari.inference.predict_steps`.
    """
    return with_time_left(_steps(image, model, region, out, config or InferenceConfig()))


def _steps(
    image: Image, model: Model, region: PlacedRegion, out: Store, config: InferenceConfig
) -> Generator[Progress, None, None]:
    config.check_unscaled()
    check_image(image, model, config)
    scale, prepared, factors = (
        find_scale(image, model, None),
        PreparedModel.of(model),
        (1.0,) * model.ndim,
    )
    joins = stack_scale(image, model, config, factors) is not None
    margins = {}
    for stacked in (False, True) if joins else (False,):
        around = margins_for(image, prepared, config, factors, stacked=stacked)
        margins[stacked] = replace(around, reach=(0,) * len(around.reach))
    pieces = pieces_of(region, image, model.ndim, margins)
    cuts = [piece.margins.cut(piece.box, piece.shape) for piece in pieces]
    total, done = sum(cut.outer.size for cut in cuts), 0
    for piece, cut in zip(pieces, cuts, strict=True):
        part = cut_out_of(image.select(**piece.selection), cut.outer)
        maps = np.zeros((model.task.out_channels, *cut.outer.shape), np.float32)
        for step in predict_steps(part, model, maps, config, statistics=scale.of(part)):
            yield step_within(step, done, cut.outer.size, total)
        write_maps(out, piece, cut, maps, reader_of(region, piece, cut))
        done += cut.outer.size
    yield Progress(total, total, "the region is predicted")
