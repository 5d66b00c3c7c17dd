"""The group of a dock that measures labels as they are, and shows the table."""

from collections.abc import Mapping
from typing import Any

from magicgui.widgets import CheckBox
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow

from napari.layers import Labels
from unet_napari._napari.outcomes.comparing import Comparing
from unet_napari._napari.outcomes.copying import measuring_of
from unet_napari._napari.outcomes.counting import Counting
from unet_napari._napari.outcomes.host import Host
from unet_napari._napari.sections.measuring import measurable, measure_job, show_table
from unet_napari._napari.widgets.fields import button
from unet_napari._napari.widgets.form import FormRows
from unet_napari.errors import LabelsError

__all__ = ["Numbers"]


class Numbers:
    """The fields, and what they do.

    Parameters
    ----------
    host : Host
        The dock.
    rows : FormRows
        The folded group that the fields are added to.
    """

    def __init__(self, host: Host, rows: FormRows) -> None:
        self._host = host
        self._measured: Labels | None = None
        self.measure = CheckBox(
            name="measure",
            text="Measure the cells of each run",
            tooltip="Whenever cells are segmented: size, place, shape and intensity of each, as\n"
            "the features of the labels layer. They are shown in the status bar under the mouse.",
        )
        self.measure_now = button(
            "measure_now",
            "Measure",
            "Measure labels as they are now, without a run and without a model: those of the\n"
            "labels layer that is selected, or else of the latest result. Each object gets a row\n"
            "in the features of the layer.",
        )
        self.table = button(
            "table",
            "Table…",
            "Open napari's table of the features of the selected layer. It sorts, selects the\n"
            "object of a row, and saves as CSV.",
        )
        rows.add_wide(self.measure)
        rows.add_beside(self.measure_now, self.table)
        self._comparing = Comparing(host, rows)
        self._counting = Counting(host, rows)

    def connect(self) -> None:
        """Follow the buttons; after `Form.finish`, whose own followers take errors away."""
        self._comparing.connect()
        self._counting.connect()
        self.measure_now.changed.connect(self._measure)
        self.table.changed.connect(self._open_table)

    def leave(self) -> None:
        """Take what is shown of a check of the count out of the viewer."""
        self._counting.leave()

    def _measure(self) -> None:
        self._host.beside("Labels can be measured", self._begin, self._take)

    def _begin(self) -> None:
        host = self._host
        layer, image, purpose, slicewise = host.chosen()
        labels = measurable(host.viewer, layer, "" if image is None else image.axes, purpose)
        self._measured = labels
        host.copying.note(lambda: measuring_of(labels, layer, image, slicewise=slicewise))
        host.in_background(
            lambda: measure_job(host.job, labels, image, slicewise=slicewise), host.job.start
        )

    def _take(self, result: Mapping[str, Any]) -> str:
        layer, self._measured = self._measured, None
        if layer is None or layer not in self._host.viewer.layers:
            return "The labels were removed meanwhile."
        show_table(layer, result["table"])
        count = len(result["table"]["label"])
        if not count:
            return f"There is no object in '{layer.name}'."
        objects = "1 object" if count == 1 else f"{count:,} objects"
        return f"{objects} of '{layer.name}' measured: see its features, or Table (under Numbers)."

    def _open_table(self) -> None:
        viewer = self._host.viewer
        if not isinstance(viewer.layers.selection.active, Labels):
            try:
                layer, image, purpose, _ = self._host.chosen()
                axes = "" if image is None else image.axes
                viewer.layers.selection.active = measurable(viewer, layer, axes, purpose)
            except LabelsError:
                pass  # the table shows what is selected, and says so
        dock, _ = viewer.window.add_plugin_dock_widget("napari", "Features table widget")
        window = dock.parent()
        if isinstance(window, QMainWindow):  # beside this dock both would be too small
            window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
