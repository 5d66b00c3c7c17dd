"""Measurements of the cells as features of their layer: of all that is in it, or of a part."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari.layers import Labels, Layer
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.layer_axes import (
    ViewPlace,
    array_of,
    output_axes,
    output_shape,
    pixel_size_of,
)
from unet_napari._napari.layers.results import Purpose, latest_labels, latest_result
from unet_napari.engine import MeasureJob
from unet_napari.errors import LabelsError
from unet_napari.images import Image, LazyArray
from unet_napari.inference.regions.renewal import Renewed
from unet_napari.labels.measure import measure_objects

__all__ = [
    "CellColumns",
    "labels_image",
    "measurable",
    "measure_job",
    "measure_part",
    "show_table",
    "update_table",
]

CellColumns = Mapping[str, Sequence[float]]


def measure_job(
    job: Job, layer: Labels, image: Image | None, *, slicewise: bool = False
) -> MeasureJob:
    """Make what is in a labels layer now readable, and the image that it lies on.

    It takes as long as reading both.

    Parameters
    ----------
    job : Job
    layer : Labels
    image : Image or None
        Without it no intensities are measured.
    slicewise : bool
        Whether each slice of a stack is measured as an image of its own.
    """
    seen = None if image is None else job.share(image)
    return MeasureJob(job.share(labels_image(layer, image), snapshot=True), seen, slicewise)


def labels_image(layer: Labels, image: Image | None) -> Image:
    """Return a labels layer with the axes and the pixel size of its image, else its own."""
    axes = _axes_of_labels(layer) if image is None else output_axes(image.axes)
    sizes = pixel_size_of(layer, axes) if image is None else image.pixel_size
    return Image(array_of(layer), axes, sizes, name=layer.name)


def _axes_of_labels(layer: Labels) -> str:
    """Return the axes that a labels layer names, else the usual ones of so many."""
    ndim = len(array_of(layer).shape)
    names = "".join(str(name).upper() for name in layer.axis_labels)
    if len(names) == len(set(names)) == ndim and set("YX") <= set(names) <= set("TZYX"):
        return names
    if not 2 <= ndim <= len("TZYX"):
        raise LabelsError(
            f"'{layer.name}' has {ndim} axes, but labels have 2 (YX), 3 (ZYX) or 4 (TZYX): choose "
            "the image that it lies on, under Image."
        )
    return "TZYX"[-ndim:]


def measurable(
    viewer: ViewerModel, image: Layer | None, axes: str, purpose: Purpose | None
) -> Labels:
    """Return the labels layer to measure: the selected one, else the latest result.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : napari.layers.Image or None
        The chosen image; without one any labels will do.
    axes : str
        The axes of the image.
    purpose : Purpose or None
        The purpose of the results of the chosen model, if there is one.

    Raises
    ------
    LabelsError
        If there is none that fits the image.
    """
    active = viewer.layers.selection.active
    if image is None:
        labels = [layer for layer in viewer.layers if isinstance(layer, Labels)]
        if isinstance(active, Labels) or len(labels) == 1:
            return active if isinstance(active, Labels) else labels[0]
        raise LabelsError("To measure, select a labels layer in the list of layers.")
    shape = output_shape(array_of(image).shape, axes)
    result: Layer | None = latest_labels(viewer, image, besides=image)
    if purpose is not None:
        result = latest_result(viewer, image, purpose) or result
    for layer in (active, result):
        if isinstance(layer, Labels) and array_of(layer).shape == shape:
            return layer
    raise LabelsError(
        f"There are no labels to measure: segment '{image.name}', or select a labels layer of its "
        "shape in the list of layers."
    )


def measure_part(
    image: Image, place: ViewPlace, labels: LazyArray, renewed: Renewed
) -> Callable[[], CellColumns]:
    """Return a function that measures the cells that were found in a part of an image.

    Parameters
    ----------
    image : Image
        The whole.
    place : Place
        The part; the cells lie in its plane, also beyond it.
    labels : array of int
        All labels of the image.
    renewed : Renewed
        The cells that were found.
    """
    letters = output_axes(image.axes)
    spatial = [letter for letter in letters if letter in "ZYX" and letter not in place.index]
    region = dict(zip(spatial, renewed.window, strict=True))
    index = dict(place.index)
    for letter in "YX":  # a plane of rows or columns is measured as a slab of one
        if letter in index:
            at = index.pop(letter)
            region[letter] = slice(at, at + 1)
    where = ViewPlace(index, region)
    cut = np.array(labels[where.indexer(letters)])
    cut[~np.isin(cut, list(renewed.ids))] = 0
    axes = "".join(letter for letter in image.axes if letter not in index)
    sizes = {letter: size for letter, size in image.pixel_size.items() if letter in axes}

    kept = "".join(letter for letter in letters if letter not in index)
    found = Image(cut, kept, {a: size for a, size in sizes.items() if a in kept}, "the cells")
    origin = {letter: part.start for letter, part in region.items()}

    def work() -> CellColumns:
        pixels = np.asarray(image.data[where.indexer(image.axes)])
        seen = Image(pixels, axes, sizes, image.name, fixed=image.fixed)
        table: dict[str, Sequence[float]] = dict(measure_objects(found, seen, origin=origin))
        count = len(table["label"])
        places = {letter.lower(): [index[letter]] * count for letter in "TZ" if letter in index}
        return {**places, **table}

    return work


def show_table(layer: Layer, table: CellColumns | None) -> None:
    """Show measurements as the features of a labels layer, where there are any."""
    if table is not None and isinstance(layer, Labels):
        columns = {name: np.asarray(values) for name, values in table.items()}
        layer.features = {"index": columns["label"], **columns}


def update_table(layer: Layer, table: CellColumns, renewed: Renewed) -> None:
    """Show measurements of some cells of a layer; those of the others stay."""
    earlier: dict[str, list[Any]] = layer.features.to_dict("list")
    numbers = earlier.pop("index", [])
    if ("centroid-2" in earlier) != ("centroid-2" in table):  # a whole stack, and now a slice
        numbers, earlier = [], {}
    outdated = renewed.ids | renewed.gone
    kept = [row for row, number in enumerate(numbers) if number not in outdated]
    merged: dict[str, list[Any]] = {}
    for name in dict.fromkeys([*table, *earlier]):
        old = earlier.get(name, [np.nan] * len(numbers))
        new = table.get(name, [np.nan] * len(table["label"]))
        merged[name] = [old[row] for row in kept] + list(new)
    show_table(layer, merged)
