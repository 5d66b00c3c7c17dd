"""What a segmentation was asked for, and its results as layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from napari.layers import Labels, Layer
from numpy.typing import NDArray

from unet_napari._napari.job import Job
from unet_napari._napari.layers import Place
from unet_napari._napari.parts import Part, cut_out, part_around, time_in_place
from unet_napari._napari.results import (
    Purpose,
    largest_number_around,
    latest_result,
    show_result,
    write_result,
)
from unet_napari.engine import SegmentFileJob, SegmentJob
from unet_napari.errors import SettingsError
from unet_napari.images import Image, Normalisation, read_image
from unet_napari.model_info import ModelInfo

__all__ = ["Order"]

# Pixels around a part that a network is shown whose own halo is not known.
_CONTEXT = {2: (64, 64), 3: (8, 32, 32)}


@dataclass(frozen=True)
class Order:
    """A segmentation that the user has asked for.

    Attributes
    ----------
    layer : napari.layers.Image
    image : Image
        Of the layer.
    place : Place
        The wanted part of it; an empty one is the whole.
    info : ModelInfo
        Of the model.
    purpose : Purpose
        Of its results.
    output : Path, optional
        The file that the labels of the whole image go to; by default they go to a layer.
    """

    layer: ImageLayer
    image: Image
    place: Place
    info: ModelInfo
    purpose: Purpose
    output: Path | None = None

    @property
    def whole(self) -> bool:
        """Whether the whole image is wanted."""
        return self.place == Place()

    @property
    def cells(self) -> bool:
        """Whether the labels are numbers of cells rather than classes."""
        return self.info.task.get("name") == "cells"

    @property
    def part(self) -> Part:
        """The wanted part, with what the network has to see around it."""
        halo = self.info.halo or _CONTEXT[self.info.ndim]
        context = dict(zip("ZYX"[-self.info.ndim :], (max(1, n) for n in halo), strict=True))
        return part_around(self.place, self.image.axes, self.image.data.shape, context)

    def request(
        self,
        job: Job,
        model: str,
        **options: Any,  # noqa: ANN401
    ) -> SegmentJob | SegmentFileJob:
        """Make what is wanted readable by the engine; takes as long as reading it.

        Parameters
        ----------
        job : Job
            The engine.
        model : str
            Name or path.
        **options
            Further fields of `SegmentJob`.

        Raises
        ------
        SettingsError
            If maps are wanted in a file.
        """
        if self.output is not None:
            if options.pop("maps") or options.pop("attention"):
                raise SettingsError(
                    "Only labels are saved to a file. Untick the maps, or leave Save to empty "
                    "(both under Result)."
                )
            return SegmentFileJob(job.share(self.image), model, str(self.output), **options)
        if self.whole:
            return SegmentJob(job.share(self.image), model, **options)
        part = self.part
        # The part must look to the network as it does within the whole image.
        rule = Normalisation.from_dict(self.info.normalisation)
        return SegmentJob(
            job.share(cut_out(self.image, part.outer), snapshot=True),
            model,
            statistics=rule.measure(self.image).to_dict(),
            inner=part.inner,
            **options,
        )

    def show_part(
        self, viewer: ViewerModel, labels: NDArray[Any], table: Mapping[str, Sequence[float]] | None
    ) -> None:
        """Show the labels of a part in their place, cells with numbers of their own."""
        where = (viewer, self.layer, self.image.axes)
        first = largest_number_around(*where, self.place, self.purpose) if self.cells else 0
        labels = np.where(labels > 0, labels + np.uint32(first), 0).astype(labels.dtype)
        layer = write_result(*where, self.part.flattened(labels), self.place, self.purpose)
        self.show_table(layer, table, first)

    def show_file(
        self, viewer: ViewerModel, path: Path, table: Mapping[str, Sequence[float]] | None
    ) -> None:
        """Show the labels that were saved to a zarr, of which only what is seen is read."""
        data: Any = read_image(path).data
        labels = dask.array.from_array(data, data.chunks)  # type: ignore[no-untyped-call]
        where = (viewer, self.layer, self.image.axes)
        layer = show_result(*where, time_in_place(labels, self.image.axes), self.purpose)
        layer.editable = False  # or else the layer would differ from the file
        self.show_table(layer, table)

    def show_maps(
        self, viewer: ViewerModel, maps: Sequence[NDArray[Any]], names: Sequence[str]
    ) -> None:
        """Show maps of the image as image layers below its labels."""
        where = (viewer, self.layer, self.image.axes)
        below = latest_result(viewer, self.layer, self.purpose)
        for name, values in zip(names, maps, strict=True):
            purpose = Purpose(f"{self.purpose.name} · {name}", f"{name} of {self.purpose.key}")
            if self.whole:
                data = time_in_place(values, self.image.axes)
                show_result(*where, data, purpose, ImageLayer, below=below)
            else:
                data = self.part.flattened(values)
                write_result(*where, data, self.place, purpose, ImageLayer, below=below)

    def show_table(
        self, layer: Layer, table: Mapping[str, Sequence[float]] | None, first: int = 0
    ) -> None:
        """Show measurements of the cells as features of their layer, where there are any.

        Parameters
        ----------
        layer : napari.layers.Labels
        table : mapping or None
            Columns as of `unet_napari.measure.measure`.
        first : int
            What the numbers of the cells were raised by.
        """
        if table is None or not isinstance(layer, Labels):
            return
        columns = {name: np.asarray(values) for name, values in table.items()}
        for letter in "ZYX":
            name = f"centre_{letter.lower()}"
            if name in columns:  # in the part; here in the image
                columns[name] = columns[name] + self._origin(letter)
        layer.features = {"index": columns.pop("label") + first, **columns}

    def _origin(self, letter: str) -> int:
        if letter in self.place.index:
            return self.place.index[letter]
        return self.place.region.get(letter, slice(0, 0)).start or 0
