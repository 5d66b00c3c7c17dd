"""What is painted, told in a line that follows every stroke."""

from collections.abc import Callable, Mapping
from typing import Any

from napari.layers import Labels

from unet_napari._napari.background import Background
from unet_napari._napari.fields import Message, button
from unet_napari._napari.form import Rows
from unet_napari._napari.paint import Snapshot, detect
from unet_napari.labels import Painting, split_components

__all__ = ["Detection"]


class Detection:
    """A line that says what was found in the labels, and a button that mends what can be mended.

    Parameters
    ----------
    rows : Rows
        The group that the fields are added to.
    background : Background
        Looks at the labels beside the viewer.
    chosen : callable
        Returns the labels layer that is chosen, or None.
    """

    def __init__(
        self, rows: Rows, background: Background, chosen: Callable[[], Labels | None]
    ) -> None:
        self._background, self._chosen = background, chosen
        self._message = Message("detected", "What was found in the labels.")
        self._split = button(
            "split", "Split into cells", "Give each connected piece a number of its own."
        )
        for field in (self._message, self._split):
            rows.add_wide(field)
        self._split.visible = False
        self._split.changed.connect(self._split_labels)

    def look(self, snapshot: Snapshot, rules: Mapping[str, Any]) -> None:
        """Look at labels, by the rules that are keyword arguments of `detect`."""
        self._background.run(
            lambda: detect(snapshot.settled(), **rules), self._show, self._complain
        )

    def clear(self) -> None:
        """Say nothing, as there are no labels."""
        self._message.say("")

    def _show(self, painting: Painting) -> None:
        self._message.say("\n".join(filter(None, (painting.describe(), painting.problem))))
        self._split.visible = painting.splittable

    def _complain(self, error: Exception) -> None:
        self._message.say(str(error))
        self._split.visible = False

    def _split_labels(self) -> None:
        """Turn a mask into cells: give each piece a number of its own."""
        labels = self._chosen()
        if labels is not None:
            labels.data = split_components(labels.data)
