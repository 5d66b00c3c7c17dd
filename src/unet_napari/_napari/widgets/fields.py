"""The fields that the docks are made of, and what is in them.

The module does without postponed annotations, because magicgui resolves them when it runs.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar
from weakref import WeakKeyDictionary

from magicgui.widgets import ComboBox, Label, LineEdit, ProgressBar, PushButton
from magicgui.widgets.bases import Widget
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QLabel, QSizePolicy

from unet_napari._napari.widgets.long_words import (
    LongWordCopier,
    break_long_words,
    without_breaks,
)
from unet_napari._napari.widgets.narrow import make_narrow
from unet_napari.errors import SettingsError

__all__ = [
    "COLOURS",
    "Message",
    "button",
    "caption",
    "choice",
    "folds",
    "optional",
    "progress_bar",
    "value_of",
    "whereabouts",
]

# Colours for a light and for a dark background, each with a contrast of at least 4.5 to it.
COLOURS = {"error": ("#b3261e", "#ff7b72"), "warning": ("#7d4e00", "#e3b341")}

folds: WeakKeyDictionary[Widget, str] = WeakKeyDictionary()
"""The folded group that a field is in, by its headline."""

_Number = TypeVar("_Number", int, float)


class Message(Label):
    """Plain text that wraps into several lines; an error is red, a warning amber.

    Text from files and layers is shown as it is: markup in a name is never interpreted.
    """

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__(name=name, tooltip=tooltip, gui_only=True)
        self._level = ""
        label: QLabel = self.native
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        label.hide()
        self._copier = LongWordCopier(label)
        self._follower = _Follower(self._colour, self._fit)
        self._fit()
        label.installEventFilter(self._follower)

    def say(self, text: str, *, error: bool = False, warning: bool = False) -> None:
        """Show a text, as an error, a warning or as information."""
        self._level = "error" if error else "warning" if warning else ""
        self._colour()
        self.value = text
        self.native.setVisible(bool(text))
        self._fit()

    def get_value(self) -> str:
        """Return the text as it was said."""
        return without_breaks(str(super().get_value()))

    @property
    def is_error(self) -> bool:
        """Whether an error is shown."""
        return self._level == "error" and bool(self.value)

    def _fit(self) -> None:
        """Take the height that the text needs, which the forms of Qt do not give to it."""
        label: QLabel = self.native
        broken = break_long_words(
            str(self.value), label.contentsRect().width(), label.fontMetrics().horizontalAdvance
        )
        if broken != label.text():
            label.setText(broken)
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        label.setMinimumHeight(0)  # a longer text before must not leave its height behind
        label.setFixedHeight(max(0, label.heightForWidth(label.width())))

    def _colour(self) -> None:
        label: QLabel = self.native
        around = label.parentWidget() or label
        dark = around.palette().color(QPalette.ColorRole.WindowText).lightness() > 127
        colour = COLOURS[self._level][dark] if self._level else ""
        style = f"color: {colour};" if colour else ""
        if style != label.styleSheet():  # setting one takes far longer than the text
            label.setStyleSheet(style)


_FITTING_EVENTS = (QEvent.Type.Resize, QEvent.Type.FontChange, QEvent.Type.Show)


class _Follower(QObject):
    """Calls back when the theme, and with it background and font, or the width has changed."""

    def __init__(self, restyled: Callable[[], None], resized: Callable[[], None]) -> None:
        super().__init__()
        self._restyled, self._resized = restyled, resized

    def eventFilter(self, _: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        if event is not None and event.type() == QEvent.Type.StyleChange:
            self._restyled()
            self._resized()
        elif event is not None and event.type() in _FITTING_EVENTS:
            self._resized()
        return False


def choice(
    name: str, options: Sequence[tuple[str, object]], tooltip: str, *, label: str | None = None
) -> ComboBox:
    """Return a combo box of ``(text, value)`` pairs; the first one is chosen."""
    field = ComboBox(name=name, label=label, choices=options, value=options[0][1], tooltip=tooltip)
    make_narrow(field.native)
    return field


def optional(name: str, tooltip: str, *, label: str | None = None) -> LineEdit:
    """Return a text field whose value is chosen automatically while it is empty."""
    field = LineEdit(name=name, label=label, tooltip=tooltip)
    field.native.setPlaceholderText("automatic")
    field.native.setMinimumWidth(40)
    return field


def value_of(field: LineEdit, kind: type[_Number], *, positive: bool = False) -> _Number | None:
    """Return the number in an optional field; None if it is empty.

    Raises
    ------
    SettingsError
        If there is something else in it, or if it must be above 0 and is not.
    """
    text = str(field.value).strip()
    if not text:
        return None
    with suppress(ValueError):
        value = kind(text)
        if math.isfinite(value) and (value > 0 or not positive):
            return value
    what = "a whole number" if kind is int else "a number"
    above = " above 0" if positive else ""
    raise SettingsError(f"{whereabouts(field)} must be {what}{above}, not '{text}'.")


def caption(field: Widget) -> str:
    """Return how a field is called in front of it and in messages."""
    label = field.label
    return label[:1].upper() + label[1:]


def whereabouts(field: Widget) -> str:
    """Return how messages call a field, and where it is: ``Memory (under Computing)``."""
    fold = folds.get(field, "")
    return f"{caption(field)} (under {fold})" if fold else caption(field)


def button(name: str, text: str, tooltip: str) -> PushButton:
    """Return a button that is no wider than it needs to be."""
    field = PushButton(name=name, text=text, tooltip=tooltip)
    field.native.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    return field


def progress_bar() -> ProgressBar:
    """Return a bar from 0 to 100 that is hidden until something runs."""
    bar = ProgressBar(name="progress", value=0, max=100, visible=False, gui_only=True)
    bar.tooltip = "How much of the work is done."
    bar.native.setTextVisible(False)
    bar.native.setFixedHeight(6)
    return bar
