"""Follows the edits of one layer, and calls back when the user has paused."""

from collections.abc import Callable

from napari.layers import Labels
from qtpy.QtCore import QTimer

__all__ = ["EditWatch"]

_PAUSE = 300  # milliseconds without an edit; a stroke of the brush is many edits


class EditWatch:
    """Calls a function a moment after a labels layer was changed in any way.

    Parameters
    ----------
    edited : callable
        Called without arguments, in Qt's thread.
    """

    def __init__(self, edited: Callable[[], None]) -> None:
        self._layer: Labels | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(edited)

    def follow(self, layer: Labels | None) -> None:
        """Follow this layer, and no other any more; look at it soon."""
        for emitter in self._emitters():
            emitter.disconnect(self.touch)
        self._layer = layer
        for emitter in self._emitters():
            emitter.connect(self.touch)
        self.touch()

    def touch(self, *_: object) -> None:
        """Look at the layer soon."""
        self._timer.start()

    def close(self) -> None:
        """Follow nothing any more."""
        self.follow(None)
        self._timer.stop()

    def _emitters(self) -> list:
        if self._layer is None:
            return []
        # Strokes; new data; and edits by a script, which only a refresh tells of.
        events = self._layer.events
        return [events.labels_update, events.paint, events.data, events.set_data]
