"""A dock's life in napari's window: its place, its beginning, its end."""

import threading
from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from unet_napari._napari.jobs.viewer_warm_up import warm_up_viewer

__all__ = ["Farewell", "contents", "share_place", "warm_up_beside"]


def contents(window: object) -> dict[QDockWidget, object]:
    """Return the docks of a window, with the magicgui widget in each (None in others)."""
    if not isinstance(window, QMainWindow):
        return {}
    docks = window.findChildren(QDockWidget)
    return {dock: getattr(dock.widget(), "_magic_widget", None) for dock in docks}


def share_place(dock: object, kind: type) -> None:
    """Put a dock into the place of another of a kind, as tabs: below each other they are low."""
    window = dock.parent() if isinstance(dock, QDockWidget) else None
    if not isinstance(dock, QDockWidget) or not isinstance(window, QMainWindow):
        return
    for other, content in contents(window).items():
        if other is not dock and isinstance(content, kind):
            window.tabifyDockWidget(other, dock)
            dock.show()
            dock.raise_()


def warm_up_beside() -> None:
    """Compile what the first result needs, without holding the viewer up."""
    threading.Thread(target=warm_up_viewer, daemon=True).start()


class Farewell(QObject):
    """Calls back when a script closes a window, whose widgets may be destroyed much later."""

    def __init__(self, closed: Callable[[], None]) -> None:
        super().__init__()
        self._closed = closed

    def watch(self, window: QWidget) -> None:
        """Wait for this window."""
        window.installEventFilter(self)

    def eventFilter(self, _: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        # A person's click on the cross may still be refused; then Qt destroys the widgets soon.
        if event is not None and event.type() == QEvent.Type.Close and not event.spontaneous():
            self._closed()
        return False
