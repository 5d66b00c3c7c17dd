"""Asks before the user's closing of a dock or of the window ends a training."""

import time

from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QAbstractButton, QDockWidget, QMessageBox, QWidget

from unet_napari.system.text import human_time

__all__ = ["CloseGuard"]

_WORTH_A_QUESTION = 60.0  # seconds of training


class CloseGuard(QObject):
    """Asks before a person closes the dock of a training, or its window; scripts are not asked."""

    def __init__(self) -> None:
        super().__init__()
        self._dock: QDockWidget | None = None
        self._since: float | None = None

    def begin(self, content: QWidget) -> None:
        """Watch over a training that begins now, in the dock of a widget."""
        self._since = time.monotonic()
        self._watch(content)

    def end(self) -> None:
        """There is nothing to lose any more."""
        self._since = None

    def _watch(self, content: QWidget) -> None:
        """Stand before the cross of the dock that a widget is in, and of its window."""
        dock = content.parent()
        if not isinstance(dock, QDockWidget):
            return
        if dock is not self._dock:
            self._dock = dock
            window = content.window()
            if window is not None:
                window.installEventFilter(self)
            # The title bar is made anew when the dock moves.
            dock.dockLocationChanged.connect(lambda *_: self._watch(content))
        for cross in dock.findChildren(QAbstractButton, "QTitleBarCloseButton"):
            cross.installEventFilter(self)

    def _loss(self) -> str:
        """Return what closing the dock would cost; "" if not worth a question."""
        lasted = 0.0 if self._since is None else time.monotonic() - self._since
        if lasted < _WORTH_A_QUESTION:
            return ""
        return (
            f"The training has run for {human_time(lasted)}, and closing ends it; Continue goes on "
            "with it later. Close all the same?"
        )

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Swallow the click of somebody who thinks better of it."""
        if not isinstance(watched, QWidget) or event is None or not _is_closing(watched, event):
            return False
        loss = self._loss()
        if not loss or _agrees(watched, loss):
            return False
        if isinstance(watched, QAbstractButton):
            watched.setDown(False)
        event.ignore()
        return True


def _is_closing(watched: QWidget, event: QEvent) -> bool:
    """Tell whether an event is that of a person who closes a dock or a window."""
    if isinstance(watched, QAbstractButton):
        if not isinstance(event, QMouseEvent):
            return False
        released = event.type() == QEvent.Type.MouseButtonRelease
        return released and watched.isVisible() and watched.rect().contains(event.pos())
    return event.type() == QEvent.Type.Close and event.spontaneous() and watched.isVisible()


def _agrees(parent: QWidget, loss: str) -> bool:
    yes = QMessageBox.StandardButton.Yes
    answer = QMessageBox.question(
        parent.window(), "End the training?", loss, yes | QMessageBox.StandardButton.No
    )
    return bool(answer == yes)
