"""The thresholds of the Segment dock act at once, are fitted to paint, and kept in a model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari.layers import Image
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.results import Purpose
from unet_napari._napari.runs.live_thresholds import LiveThresholds
from unet_napari._napari.runs.segment_order import Order
from unet_napari._napari.runs.threshold_jobs import fit_request, keep_request, painted_labels
from unet_napari._napari.sections.threshold_fields import ThresholdFields
from unet_napari._napari.widgets.model_combo import ModelCombo, model_saved
from unet_napari.engine import FitJob, KeepThresholdsJob
from unet_napari.errors import LabelsError, UnetNapariError

__all__ = ["Shown", "Thresholds"]


class Shown(NamedTuple):
    """What is chosen in the dock.

    Attributes
    ----------
    layer : napari.layers.Image or None
    axes : str
        The axes of its image.
    purpose : Purpose
        The purpose of the results of the chosen model.
    """

    layer: Image | None
    axes: str
    purpose: Purpose


class Thresholds:
    """Connects the sliders with the last segmentation and with the model.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    job : Job
        The engine.
    parent : QWidget
        The dock.
    fields : ThresholdFields
        The sliders.
    model : ModelCombo
        The choice of the model.
    shown : callable
        Returns what is chosen; an error of ours where that is not complete.
    say : callable
        Shows a line.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        job: Job,
        parent: QWidget,
        fields: ThresholdFields,
        model: ModelCombo,
        shown: Callable[[], Shown],
        say: Callable[..., None],
    ) -> None:
        self._viewer, self._job, self._fields = viewer, job, fields
        self._model, self._shown = model, shown
        self._live = LiveThresholds(viewer, job, parent, fields.changed, say)
        self._source: dict[str, Any] = {}  # where the values of the sliders come from
        fields.moved.connect(self._follow)

    def keep_maps(self, order: Order, result: Mapping[str, Any]) -> None:
        """Take note of a segmentation that has come to its end."""
        kept = result.get("kept") if order.cells and order.output is None else None
        self._live.keep(order, kept)

    def forget(self) -> None:
        """Take note that a segmentation begins, or that the dock is closed."""
        self._live.forget()

    def fit_request(self) -> Callable[[], FitJob]:
        """Take hold of what is painted; what is returned makes it readable, beside the viewer.

        Raises
        ------
        LabelsError
            If nothing is painted, or the image was not segmented.
        """
        layer, axes, purpose = self._shown()
        run = self._live.run_of(layer, purpose)
        if run is None or layer is None:
            raise LabelsError(
                "To fit the thresholds, segment the image with this model first: they are fitted "
                "to what the network said of it."
            )
        return fit_request(self._job, run, painted_labels(self._viewer, layer, axes), axes)

    def keep_request(self) -> KeepThresholdsJob:
        """Ask for the values of the sliders to be stored in the model."""
        return keep_request(str(self._model.value), self._fields.changed(), self._source)

    def take(self, result: Mapping[str, Any]) -> str:
        """Take the result of a fit, or of the storing; return what is to be said of it."""
        return self._take_fit(result) if "thresholds" in result else self._take_model(result)

    def _follow(self) -> None:
        self._source = {}
        try:
            layer, _, purpose = self._shown()
        except UnetNapariError:  # something is missing, and the dock says so
            return
        if self._live.run_of(layer, purpose) is not None:
            self._live.change()

    def _take_fit(self, result: Mapping[str, Any]) -> str:
        self._fields.set(result["thresholds"])
        name, cells = result["score_name"], result["cells"]
        score = f"{name} {result['score']:.2f}"
        self._source = {"fitted to": f"{cells} painted cells", name: round(result["score"], 4)}
        return (
            f"Fitted to {cells:,} painted cells: {score} on these cells, "
            f"{result['before']:.2f} with the values of the model."
        )

    def _take_model(self, result: Mapping[str, Any]) -> str:
        path, before = Path(result["model"]), self._model.value
        copied = before is not None and Path(before).stem != path.stem
        model_saved.emit(path.stem)
        if copied:
            self._model.value = path.stem
        else:  # the same choice, and other values in the file
            self._model.changed.emit(before)
        self._live.hand_over(self._shown().purpose)
        where = f"your own copy, '{path.stem}'" if copied else f"'{path.stem}'"
        return f"The thresholds are kept in {where}."
