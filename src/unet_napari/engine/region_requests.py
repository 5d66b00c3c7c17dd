"""The job that segments a region of an image. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unet_napari.engine.arrays import ArrayRef
from unet_napari.engine.protocol import message
from unet_napari.engine.requests import ImageRef

__all__ = ["SegmentRegionJob"]


@message
@dataclass(frozen=True)
class SegmentRegionJob:
    """Segment a region of an image, see `unet_napari.inference.regions.region_run.region_steps`.

    Its events are ``Progress`` of `unet_napari.inference` and in the end `ArraysReady`, whose
    labels and maps are those of a box of the image; labels are 0 where nothing of the region is.
    Its result has ``objects`` and ``unfamiliar`` as of a `SegmentJob`, ``highest`` (no label is
    higher), ``start`` and ``maps_start`` (where the boxes of labels and maps begin in the labels of
    the image) and ``windows``: for each piece its position along the first axes of the labels of
    the image, and start and stop along the others.

    Attributes
    ----------
    image
        The whole image.
    model
        Name or path of the model.
    region
        The region as text, see `ImageRegion.parse`; empty where there is a `mask`.
    mask
        An array of the shape of the labels, or of their last axes, that is not 0 in the region.
    config, thresholds, maps
        As of a `SegmentJob`.
    """

    image: ImageRef
    model: str
    region: str
    mask: ArrayRef | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    maps: bool = False
