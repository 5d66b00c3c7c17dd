"""What a segmentation was asked for, and its results as layers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari.layers import Image as ImageLayer
from napari.layers import Layer
from unet_napari import images
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.layer_axes import ViewPlace, current_slice, current_view, shown_axes
from unet_napari._napari.layers.parts import ImagePart, cut_out, part_around, time_in_place
from unet_napari._napari.layers.region_results import (
    FoundPieces,
    write_region,
    write_region_maps,
)
from unet_napari._napari.layers.results import (
    Purpose,
    latest_result,
    show_result,
    write_objects,
    write_result,
)
from unet_napari._napari.widgets.fields import choice
from unet_napari.engine import SegmentFileJob, SegmentJob, SegmentRegionJob
from unet_napari.errors import SettingsError
from unet_napari.images import Image, LazyArray
from unet_napari.images.colours import fit_colours
from unet_napari.inference.regions.placed import place_region
from unet_napari.inference.regions.region import ImageRegion
from unet_napari.inference.regions.renewal import Renewed
from unet_napari.model.info import ModelInfo
from unet_napari.tasks.kinds.catalogue import described_kind

__all__ = ["Order", "scope_choice", "wanted_place"]

# Pixels around a part that a network is shown whose own halo is not known.
_CONTEXT = {2: (64, 64), 3: (8, 32, 32)}


@dataclass(frozen=True)
class Order:
    """A segmentation that the user has asked for.

    Attributes
    ----------
    layer : napari.layers.Image
    image : Image
        The image of the layer.
    place : Place
        The wanted part of it; an empty one is the whole.
    info : ModelInfo
        The info of the model.
    purpose : Purpose
        The purpose of its results.
    output : Path, optional
        The file that the labels of the whole image go to; by default they go to a layer.
    zoom : float
        Pixels of the image to one that the network sees.
    slicewise : bool
        Whether a 2D model keeps the slices of a stack apart.
    region : ImageRegion, optional
        The region of the whole that is wanted.
    """

    layer: ImageLayer
    image: Image
    place: ViewPlace
    info: ModelInfo
    purpose: Purpose
    output: Path | None = None
    zoom: float = 1.0
    slicewise: bool = False
    region: ImageRegion | None = None

    @property
    def whole(self) -> bool:
        """Whether the whole image is wanted."""
        return self.place == ViewPlace() and self.region is None

    @property
    def cells(self) -> bool:
        """Whether the labels are numbers of cells rather than classes."""
        kind = described_kind(self.info.task)
        return kind is not None and kind.separates_objects

    @property
    def part(self) -> ImagePart:
        """The wanted part, with what the network has to see around it."""
        halo = self.info.halo or _CONTEXT[self.info.ndim]
        margins = (max(1, math.ceil(n * self.zoom)) for n in halo)
        context = dict(zip("ZYX"[-self.info.ndim :], margins, strict=True))
        return part_around(self.place, self.image.axes, self.image.data.shape, context)

    def request(
        self,
        job: Job,
        model: str,
        **options: Any,  # noqa: ANN401
    ) -> SegmentJob | SegmentFileJob | SegmentRegionJob:
        """Make what is wanted readable by the engine; takes as long as reading it.

        Parameters
        ----------
        job : Job
            The engine.
        model : str
            Name or path.
        **options
            Further fields of `SegmentJob`; ``result_file`` is that of the whole image.

        Raises
        ------
        SettingsError
            If maps are wanted in a file, or attention maps of a region.
        """
        result_file = options.pop("result_file", None)
        if self.output is not None:
            if options.pop("maps") or options.pop("attention"):
                raise SettingsError(
                    "Only labels are saved to a file. Untick the maps, or leave Save to empty "
                    "(both under Result)."
                )
            return SegmentFileJob(job.share(self.image), model, str(self.output), **options)
        if self.region is not None:
            options.pop("measure")
            if options.pop("attention"):
                raise SettingsError(
                    "Attention maps are made of a view or a slice, not of a region: untick them "
                    "(under Result), or choose another Scope."
                )
            return SegmentRegionJob(job.share(self.image), model, str(self.region), **options)
        if self.whole:
            file = None if result_file is None else str(result_file)
            return SegmentJob(job.share(self.image), model, result_file=file, **options)
        part = self.part
        # The part must look to the network as it does within the whole image.
        rule = images.Normalisation.from_dict(self.info.normalisation)
        colours = fit_colours(self.image, self.info.channels)  # the engine takes them of the part
        scale = images.measure_scale(rule, colours)
        return SegmentJob(
            job.share(cut_out(self.image, part.outer), snapshot=True),
            model,
            statistics=scale.at(self.place.index.get("T")).to_dict(),
            inner=part.inner,
            around=self.cells,
            **options,
        )

    def show_part(self, viewer: ViewerModel, labels: NDArray[Any]) -> tuple[Layer, Renewed | None]:
        """Show the labels of a part in their place; return what has become of its cells."""
        where = (viewer, self.layer, self.image.axes)
        part = self.part
        if self.cells:
            return write_objects(*where, labels, part, self.place, self.purpose)
        return write_result(*where, part.flattened(labels), self.place, self.purpose), None

    def found_pieces(self, result: Mapping[str, Any]) -> FoundPieces:
        """Return where the labels of the region are, by the result of the job."""
        region = self.region or ImageRegion()
        placed = place_region(region, fit_colours(self.image, self.info.channels))
        return FoundPieces(self.image, placed, result["windows"], result["maps_start"])

    def show_region(
        self, viewer: ViewerModel, labels: LazyArray, found: FoundPieces
    ) -> tuple[Layer, list[tuple[ViewPlace, Renewed]]]:
        """Show the labels of the region; return what has become of its cells, by their places."""
        return write_region(viewer, self.layer, labels, found, self.purpose, cells=self.cells)

    def show_file(self, viewer: ViewerModel, path: Path) -> Layer:
        """Show the labels that were saved to a zarr, of which only what is seen is read."""
        import dask.array  # takes half a second

        data: Any = images.read_image(path).data
        labels = dask.array.from_array(data, data.chunks)  # type: ignore[no-untyped-call]
        where = (viewer, self.layer, self.image.axes)
        layer = show_result(*where, time_in_place(labels, self.image.axes), self.purpose)
        layer.editable = False  # or else the layer would differ from the file
        return layer

    def show_maps(
        self,
        viewer: ViewerModel,
        maps: Sequence[NDArray[Any]],
        names: Sequence[str],
        found: FoundPieces | None = None,
    ) -> None:
        """Show maps of the image as image layers below its labels."""
        where = (viewer, self.layer, self.image.axes)
        below = latest_result(viewer, self.layer, self.purpose)
        for name, values in zip(names, maps, strict=True):
            purpose = Purpose(f"{self.purpose.name} · {name}", f"{name} of {self.purpose.key}")
            if found is not None:
                write_region_maps(viewer, self.layer, values, found, purpose, below)
            elif self.whole:
                data = time_in_place(values, self.image.axes)
                show_result(*where, data, purpose, ImageLayer, below=below)
            else:
                data = self.part.flattened(values)
                write_result(*where, data, self.place, purpose, ImageLayer, below=below)


def scope_choice() -> ComboBox:
    """Return the field for how much of an image is segmented; all of it is chosen."""
    scopes = [
        *(("what is in view", "view"), ("current slice", "slice")),
        *(("drawn region", "region"), ("whole image", "whole")),
    ]
    field = choice(
        "scope",
        scopes,
        "How much of the image to segment. Try the view or the slice first, or draw a region.\n"
        "A 2D model of cells makes 3D cells of the whole of a stack; a 3D model sees\n"
        "some slices above and below the current one.",
    )
    field.value = "whole"
    return field


def wanted_place(viewer: ViewerModel, layer: ImageLayer, axes: str, scope: str) -> ViewPlace:
    """Return what a scope is of an image.

    A ``"slice"`` or ``"view"`` is a part; of ``"whole"`` and ``"region"`` it is the whole.

    Raises
    ------
    SettingsError
        If the canvas shows no slice of the image, such as time against X.
    """
    if scope in ("whole", "region"):
        return ViewPlace()
    shown = shown_axes(viewer, layer, axes)
    if viewer.dims.ndisplay == 2 and not set(shown) <= set("ZYX"):
        raise SettingsError(
            f"The canvas shows the axes {' and '.join(shown)}, which is no slice of the image. "
            "Show two of Z, Y and X (with napari's button that rolls the dimensions), or choose "
            "the whole image under Scope."
        )
    return (current_view if scope == "view" else current_slice)(viewer, layer, axes)
