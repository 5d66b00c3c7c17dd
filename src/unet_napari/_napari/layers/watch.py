"""Follows the edits of one layer, and calls back when the user has paused."""

from collections.abc import Callable

from napari.utils.events import EventEmitter
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari.layers import Labels

__all__ = ["EditWatch"]

_PAUSE = 300  # milliseconds without an edit; a stroke of the brush is many edits


class EditWatch:
    """Calls a function a moment after a labels layer was changed in any way.

    Parameters
    ----------
    parent : QWidget
        Widget without which nothing is called any more.
    edited : callable
        Called without arguments, in Qt's thread.
    """

    def __init__(self, parent: QWidget, edited: Callable[[], None]) -> None:
        self._layer: Labels | None = None
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(edited)

    def follow(self, layer: Labels | None) -> None:
        """Follow this layer, and no other any more; look at it soon."""
        self.close()
        self._layer = layer
        for emitter in self._emitters():
            emitter.connect(self.touch)
        self.touch()

    def touch(self, *_: object) -> None:
        """Look at the layer soon."""
        self._timer.start()

    def close(self) -> None:
        """Follow nothing any more."""
        for emitter in self._emitters():
            emitter.disconnect(self.touch)
        self._layer = None

    def _emitters(self) -> list[EventEmitter]:
        if self._layer is None:
            return []
        # These tell of strokes, of new data, and of edits by a script, which only a refresh shows.
        events = self._layer.events
        return [events.labels_update, events.paint, events.data, events.set_data]
