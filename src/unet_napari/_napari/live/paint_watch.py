"""Follows what is painted in a labels layer, and says in which boxes it has changed."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from napari.components import Dims
from qtpy.QtCore import QObject, QTimer

from napari.layers import Labels
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari._napari.live.stroke_boxes import StrokeHistory, boxes_of_item, merge
from unet_napari.geometry import Box

__all__ = ["PaintWatch"]

_PACE = 300  # milliseconds between two reports while the user paints
_HEARTBEAT = 1000  # milliseconds between looks for an undo that napari has told nobody of
_PATIENCE = 6  # reports that wait for the end of a stroke before they go out nevertheless
_LOOKED_THROUGH = 1 << 28  # pixels of a layer that may be compared as a whole


class PaintWatch:
    """Reports the boxes in which a labels layer has changed, whatever has changed it.

    Strokes, fills, erasing and the correction tools are known from the layer's events, undo and
    redo from its history. After a refresh that nothing of this explains, a script may have
    written to the array, so that all of a layer of moderate size is reported: the receiver
    compares, see `KnownPaint`. Nothing of the labels is copied here.

    Parameters
    ----------
    parent : QObject
        Nothing is reported any more when it is gone.
    layer : napari.layers.Labels
    dims : napari.components.Dims
        The viewer's, to tell a refresh from a change of the slice.
    changed : callable
        Called in Qt's thread with boxes of the layer's array, at most every 0.3 s and at the
        latest 2.5 s after a stroke has ended.
    """

    def __init__(
        self,
        parent: QObject,
        layer: Labels,
        dims: Dims,
        changed: Callable[[list[Box]], None],
    ) -> None:
        self.layer, self._dims, self._changed = layer, dims, changed
        self._history = StrokeHistory(layer)
        self._boxes: list[Box] = []
        self._refreshed = False
        self._place = self._present_place()
        self._waited = 0
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PACE)
        self._timer.timeout.connect(self._report)
        self._heartbeat = QTimer(parent)
        self._heartbeat.setInterval(_HEARTBEAT)
        self._heartbeat.timeout.connect(self._listen)
        self._heartbeat.start()
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_data)
        layer.events.set_data.connect(self._on_refresh)

    @property
    def waits(self) -> bool:
        """Whether there are changes that have not been reported yet."""
        return self._timer.isActive() or self._history.has_moved()

    def again(self, boxes: Sequence[Box]) -> None:
        """Report boxes once more, soon, as they could not be dealt with."""
        self._note(boxes)

    def close(self) -> None:
        """Follow the layer no more."""
        events = self.layer.events
        events.paint.disconnect(self._on_paint)
        events.data.disconnect(self._on_data)
        events.set_data.disconnect(self._on_refresh)
        for timer in (self._timer, self._heartbeat):
            with suppress(RuntimeError):  # Qt has destroyed them with their parent
                timer.stop()

    def _on_paint(self, event: Any) -> None:  # noqa: ANN401  an event of napari's
        self._note(boxes_of_item(event.value))

    def _on_data(self, _: object) -> None:
        """All of the array is another one; the layer's history is empty then."""
        self._history = StrokeHistory(self.layer)
        self._note([Box.whole(array_of(self.layer).shape)])

    def _on_refresh(self, _: object) -> None:
        place = self._present_place()
        moved, self._place = place != self._place, place
        if not moved:
            self._refreshed = True
            self._begin()

    def _listen(self) -> None:
        if self._history.has_moved():
            self._begin()

    def _note(self, boxes: Any) -> None:  # noqa: ANN401  an iterable of boxes
        # Thousands of strokes between two reports are merged on the way.
        self._boxes = merge([*self._boxes, *boxes])
        self._begin()

    def _begin(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _report(self) -> None:
        if self._is_drawing() and self._waited < _PATIENCE:
            self._waited += 1
            self._timer.start()  # half a stroke is no labels
            return
        self._waited = 0
        steps = self._history.changes()
        boxes, self._boxes = [*self._boxes, *steps], []
        shape = array_of(self.layer).shape
        if self._refreshed and not boxes and math.prod(shape) <= _LOOKED_THROUGH:
            boxes = [Box.whole(shape)]
        self._refreshed = False
        boxes = merge(box.clip(shape) for box in boxes if box.ndim == len(shape))
        if boxes:
            self._changed(boxes)

    def _is_drawing(self) -> bool:
        """Tell whether a stroke has begun and not ended; napari commits it when it ends."""
        return bool(getattr(self.layer, "_staged_history", ()))

    def _present_place(self) -> tuple[Any, ...]:
        dims = self._dims
        sliders = [at for axis, at in enumerate(dims.point) if axis not in dims.displayed]
        return (*np.round(sliders, 6).tolist(), *dims.order, dims.ndisplay, self.layer.visible)
