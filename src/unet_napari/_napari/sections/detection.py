"""What is painted, told in a line that follows every stroke."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from magicgui.widgets import PushButton
from numpy.typing import NDArray

from napari.layers import Labels
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.layers.background_paint import background_number
from unet_napari._napari.layers.empty_array import painted_parts
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari._napari.sections.paint import Snapshot, detect
from unet_napari._napari.widgets.fields import Message, button
from unet_napari._napari.widgets.form import FormRows
from unet_napari.geometry import Box
from unet_napari.images import LazyArray
from unet_napari.labels.painting import Painting, split_components
from unet_napari.labels.sparse import SparseArray

__all__ = ["Detection", "split_labels"]

_GUESS = "What looks like the background beside painted cells counts as background."


class Detection:
    """A line that says what was found in the labels, and buttons that mend what can be mended.

    Parameters
    ----------
    rows : Rows
        The group that the fields are added to.
    background : Background
        Looks at the labels beside the viewer.
    chosen : callable
        Returns the labels layer that is chosen, or None.

    Attributes
    ----------
    all_painted : magicgui.widgets.PushButton
        Clicked by somebody who has painted everything.
    lay : magicgui.widgets.PushButton
        Clicked to lay labels without a place on the image.
    """

    def __init__(
        self, rows: FormRows, background: Background, chosen: Callable[[], Labels | None]
    ) -> None:
        self._background, self._chosen = background, chosen
        self._apart: tuple[int, ...] = ()  # axes of the labels that the network does not have
        self._message = Message("detected", "What was found in the labels.")
        self._split = button(
            "split",
            "Split into cells",
            "Give each connected piece a number of its own, and the brush the next free one.\n"
            "Time points, and slices for a 2D network, are split one by one.\n"
            "Ctrl+Z takes it back.",
        )
        self.all_painted = button(
            "all_painted",
            "Unpainted is background",
            "You have painted every cell: what is not painted is background. The same as\n"
            "Unpainted: background, under Data.",
        )
        self.lay = button(
            "lay", "Lay on the image", "Give the labels the place and the pixel size of the image."
        )
        rows.add_wide(self._message)
        for field in self._buttons():
            rows.add_wide(field)
            field.visible = False
        self._split.changed.connect(self._split_labels)

    def look(self, snapshot: Snapshot, rules: Mapping[str, Any], note: str = "") -> None:
        """Look at labels, by the rules that are keyword arguments of `detect`.

        Parameters
        ----------
        snapshot : Snapshot
        rules : mapping
        note : str
            What is to be said besides what was found.
        """
        self._background.run(
            lambda: detect(snapshot.settled(), **rules),
            lambda painting: self._show(painting, snapshot.axes, note),
            self._complain,
        )

    def clear(self, *, unplaced: bool = False) -> None:
        """Say nothing, as there are no labels, or none that lie on the image."""
        self._message.say("")
        self._offer(self.lay if unplaced else None)

    def _show(self, painting: Painting, axes: str, note: str) -> None:
        seen = "ZYX"[-painting.ndim :]
        self._apart = tuple(i for i, letter in enumerate(axes) if letter not in seen)
        guess = _GUESS if painting.sparse and painting.unpainted == "nearby" else ""
        said = (painting.describe(), painting.problem, guess, note)
        self._message.say("\n".join(filter(None, said)))
        if painting.splittable:
            self._offer(self._split)
        else:
            self._offer(self.all_painted if painting.nearly_complete else None)

    def _complain(self, error: Exception) -> None:
        self._message.say(str(error))
        self._offer(None)

    def _buttons(self) -> tuple[PushButton, ...]:
        return self._split, self.all_painted, self.lay

    def _offer(self, wanted: PushButton | None) -> None:
        for field in self._buttons():
            field.visible = field is wanted

    def _split_labels(self) -> None:
        labels = self._chosen()
        if labels is not None:
            split_labels(labels, self._apart)


def split_labels(labels: Labels, apart: Sequence[int] = ()) -> None:
    """Turn a mask into cells: give each piece a number of its own, and the brush a free one.

    It can be undone like a stroke, where the layer's type of numbers has room for the cells.

    Parameters
    ----------
    labels : napari.layers.Labels
    apart : sequence of int
        Axes along which nothing is connected: a cell is a piece of its own in each frame of a film.
    """
    data, corner = _painted_box(array_of(labels))
    # Background that was painted is no cell, in however many pieces.
    known = data == (background_number(labels) or 0)
    pieces = _split(np.where(known, 0, data), apart)
    count = int(pieces.max(initial=0))
    pieces[known] = data[known]
    if isinstance(labels.data, np.ndarray) and count < np.iinfo(labels.data.dtype).max:
        changed = np.nonzero(data != pieces)
        values = pieces[changed].astype(labels.data.dtype)
        where = tuple(index + start for index, start in zip(changed, corner, strict=True))
        labels.data_setitem(where, values)
    else:
        whole = np.zeros(array_of(labels).shape, np.uint32)
        whole[tuple(slice(c, c + n) for c, n in zip(corner, pieces.shape, strict=True))] = pieces
        labels.data = whole
    labels.selected_label = count + 1


def _split(data: NDArray[Any], apart: Sequence[int]) -> NDArray[np.uint32]:
    together = [axis for axis in range(data.ndim) if axis not in apart]
    order = [*apart, *together]
    pieces = split_components(data.transpose(order), len(together))
    return pieces.transpose(np.argsort(order))


def _painted_box(data: LazyArray) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return the labels within the box of what is painted, and the corner of that box."""
    found = list((painted_parts(data) or SparseArray.of(data)).boxes())
    box = Box.around(found) if found else Box.whole((0,) * len(data.shape))
    return np.asarray(data[box.to_slices()]), box.start
