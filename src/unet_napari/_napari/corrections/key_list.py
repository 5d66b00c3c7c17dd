"""The list of our keys, over the canvas."""

from collections.abc import Sequence
from typing import Any

from napari.components import ViewerModel

from unet_napari._napari.corrections.keys import KEY_TABLE, KeyEntry, key_lines

__all__ = ["KeyList"]


class KeyList:
    """Shows keys of ours in napari's text overlay, and gives it back as it was.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    table : sequence of KeyEntry
        The keys, by default those of the corrections.
    """

    def __init__(self, viewer: ViewerModel, table: Sequence[KeyEntry] = KEY_TABLE) -> None:
        self._viewer, self._table = viewer, table
        self._before: dict[str, Any] | None = None  # what the overlay was like

    @property
    def shown(self) -> bool:
        """Whether the list is on the screen."""
        return self._before is not None

    def toggle(self) -> None:
        """Show the list, or hide it."""
        if self.shown:
            self.hide()
            return
        overlay = self._viewer.canvas.overlays.text
        wanted = {
            "text": "\n".join(key_lines(self._table)),
            "position": "top_left",
            "box": True,
            "visible": True,
        }
        self._before = {name: getattr(overlay, name) for name in wanted}
        for name, value in wanted.items():
            setattr(overlay, name, value)

    def hide(self) -> None:
        """Hide the list."""
        before, self._before = self._before, None
        if before is not None:
            overlay = self._viewer.canvas.overlays.text
            for name, value in before.items():
                setattr(overlay, name, value)
