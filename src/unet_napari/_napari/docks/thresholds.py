"""The thresholds of the Segment dock act at once, are fitted to paint, and kept in a model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from napari.layers import Image
from unet_napari._napari.docks.engine_dock import EngineDock
from unet_napari._napari.layers.ownership import ResultOrigin
from unet_napari._napari.layers.results import Purpose, latest_result
from unet_napari._napari.layers.spots import note_ranker
from unet_napari._napari.runs.check_order import CheckOrder
from unet_napari._napari.runs.doubt_order import ranker
from unet_napari._napari.runs.live_thresholds import LiveThresholds
from unet_napari._napari.runs.segment_order import Order
from unet_napari._napari.runs.threshold_jobs import fit_request, keep_request, painted_labels
from unet_napari._napari.sections.threshold_fields import ThresholdFields
from unet_napari._napari.widgets.model_combo import ModelCombo, model_saved
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
    dock : EngineDock
        The dock.
    fields : ThresholdFields
        The sliders.
    model : ModelCombo
        The choice of the model.
    shown : callable
        Returns what is chosen; an error of ours where that is not complete.
    beside : callable
        Begins a job that is no segmentation; takes what it is called in a message, and a function.
    """

    def __init__(
        self,
        dock: EngineDock,
        fields: ThresholdFields,
        model: ModelCombo,
        shown: Callable[[], Shown],
        beside: Callable[[str, Callable[[], None]], None],
    ) -> None:
        self._dock, self._fields, self._model = dock, fields, model
        self._shown, self._beside = shown, beside
        self._live = LiveThresholds(
            dock.viewer,
            dock.job,
            dock.background,
            dock.native,
            fields.changed,
            dock.status.say,
        )
        self._source: dict[str, Any] = {}  # where the values of the sliders come from
        fields.moved.connect(self._follow)
        fields.fit.changed.connect(self._fit)
        fields.keep.changed.connect(self._keep)

    def keep_maps(
        self, order: Order, result: Mapping[str, Any], origin: ResultOrigin | None
    ) -> None:
        """Take note of a segmentation that has ended, and of where its labels come from."""
        kept = result.get("kept") if order.cells and order.output is None else None
        run = self._live.keep(order, kept, origin)
        layer = latest_result(self._dock.viewer, order.layer, order.purpose)
        if run is not None and layer is not None:
            dock = self._dock
            note_ranker(layer, ranker(dock.job, dock.background, run, self._fields.changed))

    def forget(self) -> None:
        """Take note that a segmentation begins, or that the dock is closed."""
        self._live.forget()

    def check_order(self) -> CheckOrder | None:
        """Return the last segmentation, if it is one of what is chosen, and its maps were kept.

        Raises
        ------
        LabelsError
            If its labels still follow the sliders.
        """
        layer, _, purpose = self._shown()
        run = self._live.run_of(layer, purpose)
        if run is not None and self._live.following:
            raise LabelsError("The labels still follow the sliders: press again in a moment.")
        return None if run is None else CheckOrder(run, self._fields.changed())

    def take(self, result: Mapping[str, Any]) -> str:
        """Take the result of a fit, or of the storing; return what is to be said of it."""
        return self._take_fit(result) if "thresholds" in result else self._take_model(result)

    def _fit(self) -> None:
        """Have the thresholds fitted to what is painted."""
        self._beside("Thresholds can be fitted", self._begin_fit)

    def _begin_fit(self) -> None:
        layer, axes, purpose = self._shown()
        run = self._live.run_of(layer, purpose)
        if run is None or layer is None:
            raise LabelsError(
                "To fit the thresholds, segment the image with this model first: they are fitted "
                "to what the network said of it."
            )
        job = self._dock.job
        labels = painted_labels(self._dock.viewer, layer, axes)
        self._dock.in_background(fit_request(job, run, labels, axes), job.start)

    def _keep(self) -> None:
        """Have the thresholds stored in the model."""
        self._beside("Thresholds can be kept", self._begin_keep)

    def _begin_keep(self) -> None:
        values = self._fields.changed()
        self._dock.job.start(keep_request(str(self._model.value), values, self._source))

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
        name, cells = result["score_name"], result["count"]
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
