"""What is done with every image of a list, and the list."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import noting_warnings
from unet_napari.images.colours import fit_colours
from unet_napari.inference import segment_steps
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.regions.placed import place_region
from unet_napari.inference.regions.region_run import region_steps
from unet_napari.inference.results.recording import model_digest
from unet_napari.inference.views import check_image
from unet_napari.inputs import with_thresholds

if TYPE_CHECKING:
    from pathlib import Path

    from unet_napari.images import BoxWriter, Image
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.regions.region import ImageRegion
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.running.machines import Machines
    from unet_napari.inference.storage.unfinished import Unfinished
    from unet_napari.model.model import Model

    Elsewhere = Callable[[Image, Any], Generator[Progress, None, Mapping[str, Any]]]

__all__ = ["FolderOrder", "ListedImage", "open_listed"]

_READ_AHEAD = 2**27  # bytes of an image that is read at once


@dataclass(frozen=True)
class ListedImage:
    """One image of a list.

    Attributes
    ----------
    name : str
        What it is called in the tables.
    output : Path
        The file that its labels go into.
    open : callable
        Opens it; nothing need be read yet. What it raises, if a user can cause it, costs the image.
    reading : callable
        Returns axes, channel and scene, as far as they were said, for the record.
    """

    name: str
    output: Path
    open: Callable[[], Image]
    reading: Callable[[], Mapping[str, Any]] = dict


@dataclass(frozen=True)
class FolderOrder:
    """What is done with every image of a list.

    Attributes
    ----------
    own : Model
        The model as it is in its file, named after that.
    config : InferenceConfig
        Settings of the segmentation.
    thresholds : mapping
        Thresholds that replace those of the model.
    model_file : Path or None
        The file of the model, for the record.
    measured : bool
        Whether the objects are measured.
    doubted : bool
        Whether doubt and familiarity are found out, for which the maps are decoded six times.
    thumbnail : int
        Longest side of the thumbnails, in pixels; 0: there are none.
    overwrite : bool
        Whether results that are there are replaced whatever they are; else only where image, model
        or settings have changed since.
    machines : callable, optional
        Returns what segments an image on other machines.
    elsewhere : callable, optional
        Segments an image into an array on another computer, yields its progress, and returns
        what it has found out of its doubt, see `doubt_facts_steps`.
    region : ImageRegion, optional
        What of each image is segmented; by default all of it. Nothing is doubted then.
    """

    own: Model
    config: InferenceConfig
    thresholds: Mapping[str, float] = field(default_factory=dict)
    model_file: Path | None = None
    measured: bool = False
    doubted: bool = False
    thumbnail: int = 0
    overwrite: bool = False
    machines: Callable[[Image], Machines] | None = None
    elsewhere: Elsewhere | None = None
    region: ImageRegion | None = None

    @cached_property
    def model(self) -> Model:
        """The model with the thresholds that were asked for."""
        return with_thresholds(self.own, self.thresholds)

    @cached_property
    def prepared(self) -> PreparedModel:
        """The model made ready, once for all images."""
        return PreparedModel.of(self.model)

    @cached_property
    def digest(self) -> str:
        """What tells the model from others, see `unet_napari.inference.results.recording`."""
        return model_digest(self.own)

    @property
    def separates(self) -> bool:
        """Whether the model finds single objects."""
        return self.model.task.kind.separates_objects

    def check(self, image: Image) -> None:
        """Raise an error of ours if the image does not suit the model, or lies off the region."""
        check_image(image, self.model, self.config)
        if self.region is not None:
            place_region(self.region, image)

    def steps(
        self,
        image: Image,
        labels: BoxWriter,
        unfinished: Unfinished,
        kept: KeptMaps | None,
        machines: Machines | None,
    ) -> Generator[Progress, None, Mapping[str, Any]]:
        """Segment an image step by step.

        Parameters
        ----------
        image : Image
            The image.
        labels : BoxWriter
            Takes its labels.
        unfinished, kept, machines
            See `segment_steps`; a region and another computer know none of them.

        Returns
        -------
        mapping
            What another computer has found out of the doubt, see `doubt_facts_steps`; else empty.
        """
        if self.elsewhere is not None:
            return (yield from self.elsewhere(image, labels))
        if self.region is not None:
            placed = place_region(self.region, image)
            yield from region_steps(image, self.prepared, placed, labels, self.config)
            return {}
        yield from segment_steps(
            image,
            self.prepared,
            labels,
            self.config,
            unfinished=unfinished,
            kept=kept,
            machines=machines,
        )
        return {}


def open_listed(item: ListedImage, model: Model) -> tuple[Image, list[str]]:
    """Open an image, and read it if it is small; return also what was warned of."""
    with noting_warnings() as notes:
        image = fit_colours(item.open(), model.channels)
        size = math.prod(image.data.shape) * np.dtype(image.data.dtype).itemsize
        if size <= _READ_AHEAD and type(image.data) is not np.ndarray:
            image = image.loaded()
    return image, notes
