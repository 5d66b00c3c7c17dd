"""The correction tools: a row of buttons, keys, and what the mouse does while one is in hand."""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari.layers import Labels, Layer, Shapes
from unet_napari._napari.corrections.corrections import Corrections
from unet_napari._napari.corrections.doubt_queue import DoubtQueue
from unet_napari._napari.corrections.key_list import KeyList
from unet_napari._napari.corrections.keys import KEY_TABLE, TOOLS, entry_of
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari._napari.widgets.fields import Message
from unet_napari._napari.widgets.form import FormRows
from unet_napari.errors import LabelsError, UnetNapariError

__all__ = ["CorrectionTools"]

_CLICK = 3.0  # pixels of the screen; a mouse that moves by less was clicked
_BUTTON_MARGINS = 20  # pixels that a button needs beside its text


class CorrectionTools:
    """Buttons that put a tool in hand, with which predicted cells become paint.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    rows : FormRows
        The group that the buttons are added to.
    corrections : callable
        Returns the `Corrections` of what is chosen now; an error says why there are none.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        rows: FormRows,
        corrections: Callable[[], Corrections],
    ) -> None:
        self._viewer, self._corrections = viewer, corrections
        self._message = Message("corrected", "What the tool in hand does, or has done.")
        self._bound: list[Layer] = []
        self._line: Shapes | None = None
        self.in_hand = ""
        self.queue = DoubtQueue(viewer, self._message, corrections)
        self.keys = KeyList(viewer)
        self.area = QWidget()
        lines = QVBoxLayout(self.area)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(4)
        self.buttons = {name: self._button(name) for name in TOOLS}
        self.steps = {
            name: self._push(name, pressed)
            for name, pressed in (
                ("next", self.queue.next),
                ("all", self.queue.show_all_or_one),
                ("hide", self.hide_or_show),
                ("keys", self.keys.toggle),
            )
        }
        for row in (self.buttons, self.steps):
            line = QHBoxLayout()
            line.setSpacing(4)
            for made in row.values():
                room = made.fontMetrics().horizontalAdvance(made.text()) + _BUTTON_MARGINS
                line.addWidget(made, room)
            lines.addLayout(line)
        rows.add_native(self.area)
        rows.add_wide(self._message)
        self.area.setVisible(False)
        viewer.mouse_drag_callbacks.append(self._on_drag)
        self._double_click: list[Any] | None = None  # what napari does at one, meanwhile put away

    def _button(self, name: str) -> QPushButton:
        made = self._push(name, lambda: self.choose("" if self.in_hand == name else name))
        made.setCheckable(True)
        return made

    def _push(self, name: str, pressed: Callable[[], None]) -> QPushButton:
        entry = entry_of(name)
        made = QPushButton(entry.text)
        made.setToolTip(entry.tooltip)
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        made.clicked.connect(lambda _: pressed())
        return made

    def choose(self, name: str) -> None:
        """Take a tool in hand; "" lays it down, and the mouse moves the camera again."""
        self.in_hand = name
        for other, made in self.buttons.items():
            made.setChecked(other == name)
        if not name:
            self._release()
            return
        try:
            found = self._corrections()
        except UnetNapariError as error:
            self._message.say(str(error), error=True)
            self.choose("")
            return
        # The strokes that follow are undone in the labels, so these are the active layer.
        self._viewer.layers.selection.active = found.labels
        found.labels.mode = "pan_zoom"
        found.labels.mouse_pan = False
        found.labels.events.mode.connect(self._lay_down)
        if self._double_click is None:  # it would zoom in
            self._double_click = list(self._viewer.mouse_double_click_callbacks)
            self._viewer.mouse_double_click_callbacks[:] = [self._on_double_click]
        self._message.say(entry_of(name).does)

    def hide_or_show(self) -> None:
        """Hide the prediction, or show it again."""
        try:
            prediction = self._corrections().prediction
        except UnetNapariError as error:
            self._message.say(str(error), error=True)
            return
        prediction.visible = not prediction.visible

    def offer(self, layers: Sequence[Layer]) -> None:
        """Show the tools where there is a prediction, and bind their keys to these layers."""
        self.area.setVisible(bool(layers))
        if not layers:
            self.choose("")
            self.queue.close()
            self.keys.hide()
            self._message.say("")
        for layer in layers:
            if layer not in self._bound:
                for entry in KEY_TABLE:
                    layer.bind_key(entry.key, self._key(entry.name), overwrite=True)
                self._bound.append(layer)

    def close(self) -> None:
        """Leave the viewer as it was."""
        self.choose("")
        self.queue.close()
        self.keys.hide()
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        for layer in self._bound:
            for entry in KEY_TABLE:
                layer.bind_key(entry.key, None, overwrite=True)
        self._bound.clear()

    def _key(self, name: str) -> Callable[[Layer], None]:
        others = {
            "next": self.queue.next,
            "previous": self.queue.back,
            "all": self.queue.show_all_or_one,
            "hide": self.hide_or_show,
            "keys": self.keys.toggle,
        }

        def press(_: Layer) -> None:
            if name in others:
                others[name]()
            elif self.in_hand or not self.queue.answer(name):
                self.choose("" if self.in_hand == name else name)

        return press

    def _lay_down(self, event: Any) -> None:  # noqa: ANN401  an event of napari's
        """Lay the tool down when the user takes one of napari's in hand."""
        if self.in_hand and str(event.source.mode) != "pan_zoom":
            self.choose("")

    def _release(self) -> None:
        if self._double_click is not None:
            self._viewer.mouse_double_click_callbacks[:] = self._double_click
            self._double_click = None
        for layer in self._viewer.layers:
            if isinstance(layer, Labels) and str(layer.mode) == "pan_zoom":
                layer.mouse_pan = True

    def _on_drag(self, _: object, event: Any) -> Generator[None]:  # noqa: ANN401
        """Do what the tool in hand does, when the mouse is released."""
        name = self.in_hand
        if not name or event.button != 1:
            return
        path = [np.asarray(event.position)]
        screen = np.asarray(event.pos)
        yield
        moved = 0.0
        while event.type == "mouse_move":
            path.append(np.asarray(event.position))
            moved = max(moved, float(np.abs(np.asarray(event.pos) - screen).max()))
            if moved > _CLICK and name != "reject":
                self._draw(path, closed=name == "take")
            yield
        self._erase_line()
        self._do(name, path, clicked=moved <= _CLICK)

    def _on_double_click(self, _: object, __: object) -> None:
        if self.in_hand == "take":
            self._apply(lambda found: found.take_within(*self._screen(found.labels)))

    def _do(self, name: str, path: list[NDArray[Any]], *, clicked: bool) -> None:
        if name == "take" and clicked:
            self._apply(lambda found: found.take(path[0]))
        elif name == "take":
            self._apply(lambda found: found.take_within(*self._lassoed(found.labels, path)))
        elif name == "reject":
            self._apply(lambda found: found.reject(path[0]))
        elif name == "split":
            self._apply(lambda found: found.split(path, self._plane(found.labels)[1]))
        else:
            self._apply(lambda found: found.merge(path[0], path[-1]))

    def _apply(self, correct: Callable[[Corrections], str]) -> None:
        try:
            self._message.say(correct(self._corrections()))
        except UnetNapariError as error:
            self._message.say(str(error), error=True)

    def _plane(self, layer: Labels) -> tuple[tuple[int | slice, ...], tuple[int, int]]:
        """Return the plane on the screen as an index of a layer, and its two axes."""
        dims = self._viewer.dims
        if len(dims.displayed) != 2:
            raise LabelsError("This works in the 2D display only: switch it on (Ctrl+Y).")
        surplus = dims.ndim - layer.ndim
        shown = sorted(axis - surplus for axis in dims.displayed)
        at = layer.world_to_data(dims.point)
        index: list[int | slice] = [round(a) for a in at]
        for axis in shown:
            index[axis] = slice(0, array_of(layer).shape[axis])
        return tuple(index), (shown[0], shown[1])

    def _screen(self, layer: Labels) -> tuple[tuple[int | slice, ...], NDArray[np.bool_]]:
        plane, axes = self._plane(layer)
        corners = layer.corner_pixels[:, list(axes)]
        inside = np.zeros([array_of(layer).shape[axis] for axis in axes], bool)
        (top, left), (bottom, right) = np.maximum(corners, 0).tolist()
        inside[top : bottom + 1, left : right + 1] = True
        return plane, inside

    def _lassoed(
        self, layer: Labels, path: list[NDArray[Any]]
    ) -> tuple[tuple[int | slice, ...], NDArray[np.bool_]]:
        from skimage.draw import polygon2mask  # takes long to load

        plane, axes = self._plane(layer)
        points = np.array([np.asarray(layer.world_to_data(at))[list(axes)] for at in path])
        shape = tuple(array_of(layer).shape[axis] for axis in axes)
        return plane, np.asarray(polygon2mask(shape, points))  # type: ignore[no-untyped-call]

    def _draw(self, path: list[NDArray[Any]], *, closed: bool) -> None:
        """Show what is being drawn, in a layer that goes when the mouse is released."""
        points = np.array([*path, path[0]] if closed else path)
        if self._line is None:
            active = self._viewer.layers.selection.active
            self._line = Shapes(ndim=points.shape[1], name="line")
            self._viewer.layers.append(self._line)
            self._viewer.layers.selection.active = active
        width = 2 / max(self._viewer.scene.camera.zoom, 1e-9)
        self._line.data = []
        self._line.add_paths([points], edge_color="yellow", edge_width=width)

    def _erase_line(self) -> None:
        if self._line is not None and self._line in self._viewer.layers:
            active = self._viewer.layers.selection.active
            self._viewer.layers.remove(self._line)
            self._viewer.layers.selection.active = active
        self._line = None
