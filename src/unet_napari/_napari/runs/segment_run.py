"""A segmentation on its way: the layers that it fills in, and what is said of its result."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari.layers import Image, Layer
from unet_napari._napari.layers.layer_axes import ViewPlace, array_of
from unet_napari._napari.layers.ownership import ResultOrigin, note_origin, note_warnings
from unet_napari._napari.layers.region_results import FoundPieces
from unet_napari._napari.layers.results import find_result, latest_result
from unet_napari._napari.runs.preview_layer import PURPOSE as PREVIEW
from unet_napari._napari.runs.segment_order import Order
from unet_napari._napari.sections.filling import FillingLayer
from unet_napari._napari.sections.measuring import (
    CellColumns,
    measure_part,
    show_table,
    update_table,
)
from unet_napari.engine import ArraysReady
from unet_napari.geometry import Box
from unet_napari.inference.progress import Progress
from unet_napari.inference.regions.renewal import Renewed
from unet_napari.inference.regions.writing import ShiftedArray

__all__ = ["SegmentRun"]


class SegmentRun:
    """One segmentation that was ordered, from its first arrays to its result in the viewer.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    order : Order
    parent : QWidget
        Widget without which nothing is refreshed any more.
    measure : callable
        Function that runs its first argument, which measures the cells of a part, in a thread, and
        passes the table to its second; it may also do nothing.
    model : str
        Name or path of the model.

    Attributes
    ----------
    order : Order
    warnings : list of str
        The warnings of the run.
    diameter : float or None
        Diameter of the cells for which the image is scaled, where the segmentation has found it.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        order: Order,
        parent: QWidget,
        measure: Callable[[Callable[[], Any], Callable[[Any], None]], None],
        model: str = "",
    ) -> None:
        self.order, self._model = order, model
        self.warnings: list[str] = []
        self.diameter: float | None = None
        self._sizes = ""
        self._viewer, self._parent, self._measure = viewer, parent, measure
        self._earlier = latest_result(viewer, order.layer, order.purpose)
        self._output: ArraysReady | None = None
        self._filling: FillingLayer | None = None

    def take(self, output: ArraysReady) -> None:
        """Take hold of the arrays that the engine is going to fill in."""
        self._output = output
        order = self.order
        if order.whole and order.layer in self._viewer.layers:
            where = (self._viewer, order.layer, order.image.axes)
            self._filling = FillingLayer(*where, order.purpose, output.labels, self._parent)
            self._hide_preview(order.layer)

    def note(self, progress: Progress) -> None:
        """Show what is new, and take note of the scale that was found to help."""
        if progress.plan is not None:
            self.diameter, self._sizes = progress.plan.diameter, progress.plan.sizes
        if self._filling is not None and progress.region is not None:
            self._filling.note(Box.from_spans(progress.region))

    def origin(self, result: Mapping[str, Any]) -> ResultOrigin | None:
        """Return where the labels of the result come from, where the engine was asked for that."""
        record = result.get("record")
        if record is None:
            return None
        return ResultOrigin({**record, "warnings": list(self.warnings)}, self._model)

    def undo(self) -> None:
        """Leave every layer as it was."""
        if self._filling is not None:
            self._filling.undo()

    def show(self, result: Mapping[str, Any]) -> str:
        """Show the result of the job, and return what is to be said of it."""
        if self.order.output is not None:
            return self._show_file(result, self.order.output)
        order, output, filling = self.order, self._output, self._filling
        if not result or output is None:
            self.undo()
            return "Stopped. Nothing was changed."
        if order.layer not in self._viewer.layers and not (filling and filling.shown):
            return "The image was removed meanwhile; the result is not shown."
        pieces: FoundPieces | None = None
        if order.region is not None:
            pieces = order.found_pieces(result)
            labels = ShiftedArray(output.labels, result["start"])
            layer, written = order.show_region(self._viewer, labels, pieces)
            self._hide_preview(order.layer)
            self._measure_pieces(layer, written)
            objects = result["objects"]
        elif filling is None:
            layer, renewed = order.show_part(self._viewer, output.labels)
            self._hide_preview(order.layer)
            self._measure_part(layer, renewed)
            objects = None if renewed is None else len(renewed.ids)
        else:
            objects = result["objects"]
            layer = filling.finish(int(result.get("highest", objects or 0)))
            show_table(layer, result.get("table"))
        if output.maps is not None and order.layer in self._viewer.layers:
            order.show_maps(self._viewer, output.maps, output.map_names, pieces)
        note_warnings(layer, self.warnings, result.get("unfamiliar"), self.diameter)
        if (origin := self.origin(result)) is not None:
            note_origin(layer, origin)
        return f"{self._summary(objects)}{self._about_sizes()}{self._about(layer)}"

    def _show_file(self, result: Mapping[str, Any], path: Path) -> str:
        """Show the labels that were saved to a file, or say how to go on with them."""
        order = self.order
        if not result or "stopped" in result:
            going_on = "Run it again to go on where it was." if result.get("kept") else ""
            return f"Stopped. {going_on or 'Nothing was changed.'}"
        if order.layer in self._viewer.layers:
            layer = order.show_file(self._viewer, path)
            show_table(layer, result.get("table"))
            note_warnings(layer, self.warnings, result.get("unfamiliar"), self.diameter)
            self._hide_preview(order.layer)
        done = f"{self._summary(result['objects'])}{self._about_sizes()}"
        return f"{done} The labels are in '{path}'."

    def _measure_part(self, layer: Layer, renewed: Renewed | None) -> None:
        if renewed is not None:
            order = self.order
            work = measure_part(order.image, order.place, array_of(layer), renewed)
            self._measure(work, lambda table: update_table(layer, table, renewed))

    def _measure_pieces(self, layer: Layer, written: list[tuple[ViewPlace, Renewed]]) -> None:
        """Measure the cells of a region, piece by piece."""
        order, labels = self.order, array_of(layer)
        works = [measure_part(order.image, place, labels, found) for place, found in written]

        def show(tables: list[CellColumns]) -> None:
            for table, (_, found) in zip(tables, written, strict=True):
                update_table(layer, table, found)

        if works:
            self._measure(lambda: [work() for work in works], show)

    def _hide_preview(self, layer: Image) -> None:
        preview = find_result(self._viewer, layer, PREVIEW)
        if preview is not None:  # it would shine through the result
            preview.visible = False

    def _summary(self, objects: int | None) -> str:
        """Say what was found."""
        if objects is None:
            return "Done."
        order = self.order
        if order.region is not None:
            what = "outline" if order.slicewise and order.info.ndim < order.image.ndim else "cell"
            return f"Done: {objects:,} {what}{'' if objects == 1 else 's'} in the region."
        stack = order.info.ndim < (order.image.ndim if order.whole else len(order.part.inner))
        slices = f" in {order.image.shape[0]:,} slices" if stack and order.whole else ""
        if stack and order.slicewise:
            outlines = "outline" if objects == 1 else "outlines"
            return f"Done: {objects:,} {outlines}{slices or ', slice by slice'}, not joined."
        return f"Done: {objects:,} {'cell' if objects == 1 else 'cells'}{slices}."

    def _about_sizes(self) -> str:
        """Say at which size the cells were segmented, where that was found out."""
        return f" {self._sizes[:1].upper()}{self._sizes[1:]}." if self._sizes else ""

    def _about(self, layer: Layer) -> str:
        """Say why the result of an earlier run was not updated."""
        earlier = self._earlier
        if earlier is None or earlier is layer or earlier not in self._viewer.layers:
            return ""
        return f" They are in a new layer: '{earlier.name}' was edited or is in use."
