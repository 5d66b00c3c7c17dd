"""Other thresholds after a segmentation: at once where the user looks, then everywhere."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari.layers import Labels, Layer
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.layer_axes import ViewPlace, array_of, current_view
from unet_napari._napari.layers.ownership import (
    ResultOrigin,
    note_highest,
    note_origin,
    pixels_noted,
)
from unet_napari._napari.layers.parts import time_in_place
from unet_napari._napari.layers.results import Purpose, give_to, show_result
from unet_napari._napari.runs.kept_run import KeptRun
from unet_napari._napari.runs.segment_order import Order
from unet_napari._napari.sections.measuring import (
    CellColumns,
    measure_job,
    measure_part,
    show_table,
    update_table,
)
from unet_napari.engine import DecodeJob, MeasureJob
from unet_napari.errors import EngineError, UnetNapariError
from unet_napari.inference.regions.renewal import Renewed

__all__ = ["LiveThresholds"]

_REST_TIME = 300  # milliseconds without a change after which all of the image follows the view
_QUICK_PIXELS = 1 << 20  # pixels that are decoded at once, wherever the user looks
_VIEW_SHARE = 0.5  # of the image from which on the view is no part worth decoding first


class LiveThresholds:
    """Lets the labels of the last segmentation follow the sliders.

    While they move, the objects in view are found again; when they rest, all of them. One job is
    asked of the engine at a time, and the newest values count.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    job : Job
        The engine.
    background : Background
        Makes arrays readable for the engine, and measures the cells of a part.
    parent : QWidget
        Nothing is asked any more when it is gone.
    values : callable
        Returns the thresholds that differ from those of the model.
    say : callable
        Shows a line: what was found, or with ``error=True`` what is wrong.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        job: Job,
        background: Background,
        parent: QWidget,
        values: Callable[[], dict[str, float]],
        say: Callable[..., None],
    ) -> None:
        self._viewer, self._job, self._values, self._say = viewer, job, values, say
        self._background = background
        self._run: KeptRun | None = None
        self._measured = False  # whether the cells of the run were measured
        self._asking = ""  # "view" or "all" while the engine decodes, "table" while it measures
        self._wanted = ""  # what to ask for next
        self._behind = False  # whether the labels out of view are those of other thresholds
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_TIME)
        self._timer.timeout.connect(self._rest)

    def keep(
        self, order: Order, number: int | None, origin: ResultOrigin | None = None
    ) -> KeptRun | None:
        """Take note of a segmentation, and whether its maps were kept; return it if they were."""
        self.forget()
        if number is not None:
            self._run = KeptRun(order, number, self._job.pid, origin)
        return self._run

    def forget(self) -> None:
        """Change the labels of the last segmentation no more."""
        self._timer.stop()
        self._run, self._wanted, self._behind, self._measured = None, "", False, False

    def run_of(self, layer: Layer | None, purpose: Purpose) -> KeptRun | None:
        """Return the last segmentation if it was one of a layer for a purpose; else None."""
        run = self._run
        if run is None or run.pid != self._job.pid or layer not in self._viewer.layers:
            return None
        return run if (run.order.layer, run.order.purpose) == (layer, purpose) else None

    @property
    def following(self) -> bool:
        """Whether the labels are not yet those of the sliders everywhere."""
        return self._behind or self._asking in ("view", "all") or self._wanted in ("view", "all")

    def hand_over(self, purpose: Purpose) -> None:
        """Let the result belong to another model file, which has its thresholds."""
        if self._run is not None:
            order = self._run.order
            give_to(self._viewer, order.layer, order.purpose, purpose)
            self._run = replace(self._run, order=replace(order, purpose=purpose))

    def change(self) -> None:
        """Follow the sliders, as far as the user looks."""
        if self._run is None:
            return
        self._timer.start()
        self._wanted, self._behind = "view", True
        slow = self._pixels(self._run.region) > _QUICK_PIXELS
        if self._asking == "table" or (self._asking == "all" and slow):
            self._job.stop_asked()
        self._ask()

    def _rest(self) -> None:
        """Follow the sliders everywhere, as they rest."""
        if self._behind:
            self._wanted = "all"
            self._ask()

    def _ask(self) -> None:
        run, wanted = self._run, self._wanted
        if run is None or not wanted or self._asking or self._job.running:
            return
        self._wanted = ""
        place = self._view(run) if wanted == "view" else None
        box = None if place is None else self._box(run, place)
        if box is None:
            wanted, place = "all", None
        self._asking, self._behind = wanted, wanted == "view"
        values = self._values()
        request = DecodeJob(run.number, values, box)

        def show(result: Mapping[str, Any]) -> None:
            self._show(run, place, {**result, "thresholds": values} if result else result)

        try:
            self._job.ask(request, show, self._fail)
        except EngineError as error:
            self._fail(error)

    def _view(self, run: KeptRun) -> ViewPlace | None:
        """Return what is in view, if that is a part worth decoding before all of it."""
        image = run.order.image
        if self._pixels(run.region) <= _QUICK_PIXELS:
            return None
        place = current_view(self._viewer, run.order.layer, image.axes)
        same = all(run.order.place.index.get(a, i) == i for a, i in place.index.items())
        return place if same and place.region else None

    def _box(self, run: KeptRun, place: ViewPlace) -> tuple[tuple[int, int], ...] | None:
        """Return where the view, with what lies around it, is in the labels of the run."""
        outer = replace(run.order, place=place).part.outer
        box = []
        for letter, (first, last) in run.region.items():
            if letter in outer.index:
                start, stop = outer.index[letter], outer.index[letter] + 1
            else:
                start, stop, _ = outer.region.get(letter, slice(None)).indices(last)
            if not first <= start < stop <= last:
                return None
            box.append((start - first, stop - first))
        inside = np.prod([stop - start for start, stop in box])
        return tuple(box) if inside < _VIEW_SHARE * self._pixels(run.region) else None

    def _show(self, run: KeptRun, place: ViewPlace | None, result: Mapping[str, Any]) -> None:
        """Show what the engine has found, unless it is of an earlier run or was stopped."""
        self._asking = ""
        if run is self._run and result and run.order.layer in self._viewer.layers:
            try:
                self._show_labels(run, place, result)
            except UnetNapariError as error:
                self._fail(error)
        self._ask()

    def _show_labels(
        self, run: KeptRun, place: ViewPlace | None, result: Mapping[str, Any]
    ) -> None:
        order = run.order
        labels: NDArray[np.uint32] = result["labels"]
        if place is not None:
            part = replace(order, place=place)
            leading = labels.ndim - len(part.part.inner)
            part.show_part(self._viewer, labels.reshape(labels.shape[leading:]))
            return
        renewed = None
        if not order.whole:
            layer, renewed = order.show_part(self._viewer, labels)
            self._measured |= bool(len(layer.features))
        else:
            axes = order.image.axes
            layer = show_result(
                self._viewer, order.layer, axes, time_in_place(labels, axes), order.purpose
            )
            if len(layer.features):  # measured on other cells
                self._measured, layer.features = True, {}
            note_highest(layer, result["highest"])
            _carry_origin(layer, run.origin, result)
        if self._measured and isinstance(layer, Labels):
            self._measure(run, layer, renewed)
        if order.image.frames == 1 and result["objects"] is not None:
            self._say(f"{result['objects']:,} cells with these thresholds.")

    def _measure(self, run: KeptRun, layer: Labels, renewed: Renewed | None) -> None:
        """Measure the cells that there are now: those of a part here, all of them by the engine."""
        order, pixels = run.order, pixels_noted(layer)

        def show(table: CellColumns | None) -> None:
            if table is None or pixels_noted(layer) != pixels:  # stopped, or others by now
                return
            if renewed is None:
                show_table(layer, table)
            else:
                update_table(layer, table, renewed)

        def end(result: Mapping[str, Any]) -> None:
            self._asking = ""
            show(result.get("table"))
            self._ask()

        def ask(request: MeasureJob) -> None:
            self._asking = ""
            if run is self._run and not self._wanted and not self._job.running:
                self._asking = "table"
                try:
                    self._job.ask(request, end, self._fail)
                except EngineError as error:
                    self._fail(error)
            self._ask()

        if renewed is not None:
            work = measure_part(order.image, order.place, array_of(layer), renewed)
            self._background.run(work, show, self._fail)
            return
        self._asking = "table"
        self._background.run(
            lambda: measure_job(self._job, layer, order.image, slicewise=order.slicewise),
            ask,
            self._fail,
        )

    def _fail(self, error: Exception) -> None:
        self._asking = ""
        self.forget()
        self._say(str(error), error=True)

    @staticmethod
    def _pixels(region: Mapping[str, tuple[int, int]]) -> int:
        size = 1
        for start, stop in region.values():
            size *= stop - start
        return size


def _carry_origin(layer: Layer, origin: ResultOrigin | None, result: Mapping[str, Any]) -> None:
    """Note with a layer where its labels come from, now that the thresholds are others."""
    if origin is not None:
        objects = None if result["objects"] is None else int(result["objects"])
        found = {**origin.record["found"], "objects": objects}
        record = {**origin.record, "thresholds": dict(result["thresholds"]), "found": found}
        note_origin(layer, origin._replace(record=record))
