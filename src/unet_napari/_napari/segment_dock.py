"""The Segment dock: from a trained model to a labels layer."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox, PushButton
from napari.layers import Image
from napari.utils.notifications import show_warning
from napari.viewer import Viewer
from qtpy.QtWidgets import QFileDialog

from unet_napari._napari.engine_dock import EngineDock
from unet_napari._napari.fields import Message, button, choice
from unet_napari._napari.file_facts import read_facts
from unet_napari._napari.filling import FillingLayer
from unet_napari._napari.fit import describe, misfit
from unet_napari._napari.job import Job
from unet_napari._napari.layer_combo import layer_choice
from unet_napari._napari.layers import Place, current_slice, current_view, image_of
from unet_napari._napari.model_combo import ModelCombo
from unet_napari._napari.pixel_size import PixelSizeOffer
from unet_napari._napari.preview import PURPOSE as PREVIEW
from unet_napari._napari.results import find_result
from unet_napari._napari.segment_order import Order
from unet_napari._napari.segment_settings import SegmentSettings
from unet_napari._napari.status_line import segmentation_line
from unet_napari.engine import DiameterJob, JobWarning, Output
from unet_napari.errors import UnetNapariError
from unet_napari.inference.progress import PlanSummary, Progress

__all__ = ["SegmentDock"]


class SegmentDock(EngineDock):
    """Segment an image layer with a trained model.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The name tells napari to pass the viewer.
    job : Job, optional
        What runs the segmentation; an engine process by default.
    """

    model: ModelCombo
    browse: PushButton
    scope: ComboBox
    found: Message

    def __init__(self, napari_viewer: Viewer, job: Job | None = None) -> None:
        super().__init__(napari_viewer, job or Job())
        # Of the run that goes on:
        self._order: Order | None = None
        self._output: Output | None = None
        self._plan: PlanSummary | None = None
        self._filling: FillingLayer | None = None
        self._add_shown_fields()
        self._add_folded_fields()
        self.finish()
        for field in (self.image, self.model, self.settings.axes):
            field.changed.connect(self.refresh_run)
        self.image.changed.connect(self.pixel_size.follow)
        self.browse.changed.connect(self._browse)
        self.model.changed.connect(self._follow_model)
        self.settings.diameter.estimate.changed.connect(self._estimate)
        self.settings.choose.changed.connect(self._choose_output)
        self.model.suggest_newest()
        self.refresh_run()

    def _add_shown_fields(self) -> None:
        rows = self.add_rows()
        rows.add(layer_choice("image", Image, "choose an image", "The image to segment."))
        rows.add(
            ModelCombo(
                "choose a model",
                name="model",
                tooltip="A model that you or a colleague have trained. The newest one comes first.",
            ),
            button("browse", "Open…", "Take a model file from anywhere on this computer."),
        )
        rows.add(
            choice(
                "scope",
                [
                    ("what is in view", "view"),
                    ("current slice", "slice"),
                    ("whole image", "whole"),
                ],
                "How much of the image to segment. Try the view or the slice first.\n"
                "With a 2D model, the whole of a stack is segmented slice by slice; a 3D model\n"
                "sees some slices above and below the current one.",
            )
        )
        self.scope.value = "whole"
        rows.add_wide(Message("found", "How image and model go together."))
        self.pixel_size = PixelSizeOffer(rows, self.viewer, self.background, self.refresh_run)
        self.add_run(rows, "Segment", "Segment the image with this model.")

    def _add_folded_fields(self) -> None:
        self.settings = SegmentSettings(
            self.viewer,
            self.add_folded("Data", "Axes, pixel size, diameter."),
            self.add_folded("Result", "Thresholds, measurements, probability maps."),
            self.add_folded("Computing", "Tiles, memory, device."),
        )

    # -- what is chosen -----------------------------------------------------------------------

    def missing(self) -> str:
        """Return what is missing for a segmentation, all of it."""
        wanted = []
        if self.image.value is None:
            wanted.append("an image")
        if self.model.value is None:
            wanted.append("a model (train one in the Train dock, or open a file)")
        if wanted:
            self.found.say("")
            return f"To segment, choose {' and '.join(wanted)}."
        try:
            info = self.model.need_info()
            image = image_of(self.image.value, self.settings.axes.value)
        except UnetNapariError as error:
            return str(error)
        self.settings.diameter.follow(self.image.value, image.axes)
        problem = misfit(image, info)
        self.found.say("" if problem else describe(image, info))
        return problem

    def list_models(self) -> None:
        """List the models again, and choose a new one unless the user has chosen."""
        super().list_models()
        if self.docked:
            self.model.suggest_newest()

    def _follow_model(self) -> None:
        try:
            self.settings.follow(self.model.need_info())
        except UnetNapariError:  # none, or one that `missing` complains about
            self.settings.follow(None)

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self.native, "Open a model", "", "U-Net models (*.unet);;All files (*)"
        )
        if path:
            self.model.value = path

    # -- the segmentation ---------------------------------------------------------------------

    def begin(self) -> None:
        """Segment what is asked for."""
        layer, info = self.image.value, self.model.need_info()
        read_facts(layer)  # known already, but to a script that chooses and clicks at once
        image = image_of(layer, self.settings.axes.value)
        output = self.settings.output if self.scope.value == "whole" else None
        place, purpose = self._place(layer, image.axes), self.model.need_purpose()
        order = self._order = Order(layer, image, place, info, purpose, output)
        request = partial(
            order.request,
            self.job,
            str(self.model.value),
            config=self.settings.config(info, slicewise=info.ndim < image.ndim),
            thresholds=self.settings.changed_thresholds(),
            measure=self.settings.measure.value,
            maps=self.settings.maps.value,
            attention=self.settings.wants_attention,
        )
        self.in_background(request, self.job.start)

    def _estimate(self) -> None:
        """Have the diameter of the objects estimated."""
        if self.busy:
            self.status.say("The diameter can be estimated before or after a segmentation.")
        elif self.missing():
            self.status.say(self.missing())
        else:
            self.start(self._begin_estimate)

    def _begin_estimate(self) -> None:
        info, model = self.model.need_info(), str(self.model.value)
        image = image_of(self.image.value, self.settings.axes.value)
        self.settings.diameter.value = None
        config = self.settings.config(info, slicewise=info.ndim < image.ndim)
        request = lambda: DiameterJob(self.job.share(image), model, config)  # noqa: E731
        self.in_background(request, self.job.start)

    def _place(self, layer: Image, axes: str) -> Place:
        if self.scope.value == "whole":
            return Place()
        find = current_view if self.scope.value == "view" else current_slice
        return find(self.viewer, layer, axes)

    def on_event(self, event: Any) -> None:  # noqa: ANN401
        """Show how far the segmentation is, and what there is of it."""
        if isinstance(event, Progress):
            if event.plan is not None:
                self._plan = event.plan
                self.status.native.setToolTip(event.plan.describe())
            line = segmentation_line(event, self._plan)
            self.show_progress(event.done / max(1, event.total), line)
            if self._filling is not None and event.region is not None:
                self._filling.note(event.region)
        elif isinstance(event, Output):
            self._take(event)
        elif isinstance(event, JobWarning):
            show_warning(event.message)

    def _take(self, output: Output) -> None:
        """Take hold of the arrays that the engine is going to fill in."""
        self._output = output
        order = self._order
        if order is not None and order.whole and order.layer in self.viewer.layers:
            where = (self.viewer, order.layer, order.image.axes)
            self._filling = FillingLayer(*where, order.purpose, output.labels, self.native)
            self._hide_preview(order.layer)

    def _hide_preview(self, layer: Image) -> None:
        preview = find_result(self.viewer, layer, PREVIEW)
        if preview is not None:  # it would shine through the result
            preview.visible = False

    def on_result(self, result: Mapping[str, Any]) -> None:
        """Show the labels in a layer, and what else was asked for."""
        if "diameter" in result:
            self._show_diameter(result["diameter"])
            return
        if self._order is not None and self._order.output is not None:
            self._show_file(self._order, self._order.output, result)
            return
        order, output, filling = self._order, self._output, self._filling
        if not result or order is None or output is None:
            self._undo()
            self.status.say("Stopped. Nothing was changed.")
            return
        self._forget()
        if order.layer not in self.viewer.layers and not (filling and filling.shown):
            self.status.say("The image was removed meanwhile; the result is not shown.")
            return
        if filling is None:
            order.show_part(self.viewer, output.labels, result.get("table"))
            self._hide_preview(order.layer)
        else:
            order.show_table(filling.finish(), result.get("table"))
        if output.maps is not None and order.layer in self.viewer.layers:
            order.show_maps(self.viewer, output.maps, output.map_names)
        self.status.say(summary(result["objects"]))

    def _show_file(self, order: Order, path: Path, result: Mapping[str, Any]) -> None:
        """Show the labels that were saved to a file, or say how to go on with them."""
        self._forget()
        if not result or "stopped" in result:
            going_on = "Run it again to go on where it was." if result.get("kept") else ""
            self.status.say(f"Stopped. {going_on or 'Nothing was changed.'}")
            return
        if order.layer in self.viewer.layers:
            order.show_file(self.viewer, path, result.get("table"))
            self._hide_preview(order.layer)
        self.status.say(f"{summary(result['objects'])} The labels are in '{path}'.")

    def _choose_output(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self.native, "Save the labels", "", "Zarr (*.zarr);;All files (*)"
        )
        if path:
            self.settings.save_to.value = path

    def _show_diameter(self, diameter: float | None) -> None:
        self.settings.diameter.value = diameter
        if diameter is None:
            self.status.say("The diameter cannot be estimated: the model finds too few cells.")
        else:
            self.status.say(f"The cells are about {diameter:.3g} pixels across.")

    def fail(self, error: Exception) -> None:
        """End the segmentation with one readable message, and leave every layer as it was."""
        self._undo()
        super().fail(error)

    def leave(self) -> None:
        """End everything that goes on, as long as the widgets are there."""
        self._undo()
        self.settings.diameter.hide()
        super().leave()

    def _undo(self) -> None:
        if self._filling is not None:
            self._filling.undo()
        self._forget()

    def _forget(self) -> None:
        """Let go of the arrays of the run; large ones take room on the disk."""
        self._order = self._output = self._plan = self._filling = None


def summary(objects: int | None) -> str:
    """Say what was found."""
    if objects is None:
        return "Done."
    return f"Done: {objects:,} {'cell' if objects == 1 else 'cells'}."
