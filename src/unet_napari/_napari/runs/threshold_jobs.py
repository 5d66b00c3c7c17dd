"""What is asked of the engine to fit thresholds to paint, and to store them in a model."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari.layers import Image, Labels, Shapes
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.grid import LayerGrid
from unet_napari._napari.layers.ownership import RegionChooser, choosers, is_made_for
from unet_napari._napari.runs.kept_run import KeptRun
from unet_napari._napari.sections.paint import take_snapshot
from unet_napari.engine import ArrayRef, FitJob, KeepThresholdsJob
from unet_napari.errors import LabelsError
from unet_napari.images import LazyArray
from unet_napari.model.info import find_model, is_bundled
from unet_napari.model.names import model_path, unused_name

__all__ = ["fit_request", "keep_request", "painted_labels"]


def painted_labels(viewer: ViewerModel, image: Image, axes: str) -> Labels:
    """Return what was painted on an image: chosen in a Train dock, else the only such labels.

    Raises
    ------
    LabelsError
        If there are none, or several.
    """
    grid = LayerGrid(image, axes)
    chosen = {id(layer) for chooser in choosers for layer in chooser.chosen_layers()}
    lying = [
        layer for layer in viewer.layers if isinstance(layer, Labels) and _lies_on(grid, layer)
    ]
    found = [layer for layer in lying if id(layer) in chosen]
    found = found or [layer for layer in lying if not is_made_for(layer, {})]
    if len(found) == 1:
        return found[0]
    if not found:
        raise LabelsError(
            f"Nothing is painted on '{image.name}': paint some cells in a labels layer (New in the "
            "Train dock adds one), then fit the thresholds to them."
        )
    names = ", ".join(f"'{layer.name}'" for layer in found)
    raise LabelsError(
        f"Several labels lie on '{image.name}' ({names}): choose those to fit to in the Train dock."
    )


def _lies_on(grid: LayerGrid, layer: Labels) -> bool:
    try:
        grid.resampling(layer)
    except LabelsError:
        return False
    return True


def fit_request(job: Job, run: KeptRun, labels: Labels, axes: str) -> Callable[[], FitJob]:
    """Take hold of what is painted now, and return a function that makes a request of it.

    The function is called in a thread, as it copies the paint for the engine.
    """
    order = run.order
    snapshot = take_snapshot(order.layer, labels, axes, _complete_in(labels), copy=True)

    def share(array: LazyArray) -> ArrayRef:
        region = run.region
        index = tuple(
            slice(*region[letter]) if letter in region else order.place.index.get(letter, 0)
            for letter in snapshot.axes
        )
        letters = [letter for letter in snapshot.axes if letter in region]
        part = np.asarray(array[index]).transpose([letters.index(letter) for letter in region])
        reference: ArrayRef = job.share_array(np.ascontiguousarray(part))
        return reference

    def request() -> FitJob:
        settled = snapshot.settled()
        complete = settled.complete()
        annotated = None if complete is None else share(complete)
        return FitJob(run.number, share(settled.labels), annotated, snapshot.background)

    return request


def _complete_in(labels: Labels) -> Shapes | None:
    """Return what a Train dock says of where all cells are painted in its labels."""
    found = [
        chooser.regions_of(labels) for chooser in choosers if isinstance(chooser, RegionChooser)
    ]
    return next((shapes for shapes in found if isinstance(shapes, Shapes)), None)


def keep_request(
    model: str, thresholds: Mapping[str, float], source: Mapping[str, Any]
) -> KeepThresholdsJob:
    """Ask for thresholds to be stored in a model; of one that is bundled, in a copy.

    Raises
    ------
    ModelFileError
        If there is no such model.
    OutputError
        If there is no folder for the copy.
    """
    path = find_model(model)
    output = str(model_path(unused_name(path.stem))) if is_bundled(path) else None
    return KeepThresholdsJob(model, thresholds, output, source)
