"""The look of the docks: a magicgui container whose fields stand in aligned rows, some folded.

The module does without postponed annotations, because magicgui resolves them when it runs.
"""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from magicgui.type_map import get_widget_class
from magicgui.widgets import ComboBox, Container, Label, LineEdit, ProgressBar, PushButton
from magicgui.widgets.bases import Widget
from napari.layers import Layer
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from unet_napari.errors import SettingsError

__all__ = [
    "Form",
    "LayerCombo",
    "Message",
    "Rows",
    "button",
    "caption",
    "choice",
    "layer_choice",
    "optional",
    "progress_bar",
    "shrink",
    "sizes_of",
    "value_of",
]

_Number = TypeVar("_Number", int, float)

_LEAST_WIDTH = 270  # pixels; napari makes a new dock as narrow as it may be
_MARGIN = 8  # pixels around the fields
_SPACING = 6  # pixels between rows


class LayerCombo(ComboBox):
    """A choice among the viewer's layers of one type, which stays with the layer it shows.

    napari refills the choices whenever layers are added, renamed, removed or reordered. A
    `ComboBox` finds its choice again by name, so it loses a layer that is renamed and jumps to
    another when its own is removed. This one finds it by identity, and is empty when it is gone.

    Parameters
    ----------
    placeholder : str
        What is shown while no layer is chosen.
    **options
        Those of `magicgui.widgets.ComboBox`; `annotation` is the layer type.
    """

    def __init__(self, placeholder: str, **options: Any) -> None:  # noqa: ANN401
        self.null_string = placeholder
        self.untouched = True
        super().__init__(**options)
        shrink(self.native)
        self.changed.connect(self._touch)

    def reset_choices(self, *_: object) -> None:
        """Refill the choices and keep the layer that is chosen, or none if it is gone."""
        chosen = self.value
        with self.changed.blocked():
            self.native.clear()
            super().reset_choices()
            self.value = chosen if chosen in self.choices else None
        if self.value is not chosen:
            self.changed.emit(self.value)

    def suggest(self, layer: object) -> None:
        """Choose a layer for the user, as long as nobody has chosen one before."""
        if self.untouched and layer is not None and layer in self.choices:
            self.value = layer

    def _touch(self, layer: object) -> None:
        self.untouched = False
        self.native.setToolTip(f"{self.tooltip}\n\n{layer}" if layer is not None else self.tooltip)


class Message(Label):
    """A line or a few of plain text that wraps; an error is red.

    Text from files and layers is shown as it is: markup in a name is never interpreted.
    """

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__(name=name, tooltip=tooltip, gui_only=True)
        label: QLabel = self.native
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        label.hide()

    def say(self, text: str, *, error: bool = False) -> None:
        """Show a text, as an error or as information."""
        # A red that can be read on the dark and on the light theme.
        self.native.setStyleSheet("color: #e5534b;" if error else "")
        self.value = text
        self.native.setVisible(bool(text))


class Rows:
    """Labelled fields in aligned rows.

    Parameters
    ----------
    owner : Form
        The dock that the fields belong to, and that they are reached through by name.
    area : QWidget
        Where the rows are drawn; it gets its layout here.
    """

    def __init__(self, owner: "Form", area: QWidget) -> None:
        self._owner = owner
        self._layout = QFormLayout(area)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(_SPACING)
        self._layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self._layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)

    def add(self, field: Widget, *beside: Widget) -> None:
        """Add a field behind its label, and further ones beside it."""
        for widget in (field, *beside):
            self._owner.append(widget)
        area = field.native if not beside else _side_by_side([field, *beside])
        label = QLabel(caption(field))
        label.setToolTip(field.tooltip or "")
        self._owner.captions.append(label)
        self._layout.addRow(label, area)

    def add_beside(self, *fields: Widget) -> None:
        """Add fields beside each other, without labels."""
        for field in fields:
            self._owner.append(field)
        self._layout.addRow(_side_by_side(fields))

    def add_wide(self, field: Widget) -> None:
        """Add a field over the whole width, without a label."""
        self._owner.append(field)
        self._layout.addRow(field.native)

    def add_native(self, widget: QWidget) -> None:
        """Add something that is not a field, such as a plot, over the whole width."""
        self._layout.addRow(widget)


class Form(Container[Widget]):
    """A dock's content: rows, folded groups below them, all in a scroll area.

    The fields are reached by name, as in every magicgui container: ``form.image.value``.
    """

    def __init__(self) -> None:
        super().__init__(labels=False)
        self.captions: list[QLabel] = []
        self.margins = (0, 0, 0, 0)
        body = QWidget()
        self._body = QVBoxLayout(body)
        self._body.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        self._body.setSpacing(_SPACING)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumWidth(_LEAST_WIDTH)
        scroll.setWidget(body)
        self.native.layout().addWidget(scroll)

    def _insert_widget(self, index: int, widget: Widget) -> None:
        # The container's own rows do not align; `Rows` places the field, here it is registered.
        self._list.insert(index, widget)

    def add_rows(self) -> Rows:
        """Start a group of rows that is always shown."""
        area = QWidget()
        self._body.addWidget(area)
        return Rows(self, area)

    def add_folded(self, title: str, tooltip: str) -> Rows:
        """Start a group of rows that is shown when the user opens it."""
        area = QWidget()
        rows = Rows(self, area)
        fold = _Fold(title)
        fold.setToolTip(tooltip)
        fold.addWidget(area)
        self._body.addWidget(fold)
        return rows

    def finish(self) -> None:
        """Align the fields of all groups and push them to the top; called once, at the end."""
        width = max(label.sizeHint().width() for label in self.captions)
        for label in self.captions:
            label.setFixedWidth(width)
        self._body.addStretch(1)


def layer_choice(
    name: str, layer_type: type[Layer], placeholder: str, tooltip: str, *, label: str | None = None
) -> LayerCombo:
    """Return a choice among the viewer's layers of a type; napari fills it by the annotation."""
    _, options = get_widget_class(annotation=layer_type | None)
    return LayerCombo(
        placeholder, name=name, annotation=layer_type, label=label, tooltip=tooltip, **options
    )


def choice(
    name: str, options: Sequence[tuple[str, object]], tooltip: str, *, label: str | None = None
) -> ComboBox:
    """Return a combo box of ``(text, value)`` pairs; the first one is chosen."""
    field = ComboBox(name=name, label=label, choices=options, value=options[0][1], tooltip=tooltip)
    shrink(field.native)
    return field


def optional(name: str, tooltip: str, *, label: str | None = None) -> LineEdit:
    """Return a text field whose value is chosen automatically while it is empty."""
    field = LineEdit(name=name, label=label, tooltip=tooltip)
    field.native.setPlaceholderText("automatic")
    field.native.setMinimumWidth(40)
    return field


def value_of(field: LineEdit, kind: type[_Number]) -> _Number | None:
    """Return the number in an optional field; None if it is empty.

    Raises
    ------
    SettingsError
        If there is something else in it.
    """
    text = str(field.value).strip()
    try:
        return kind(text) if text else None
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise SettingsError(f"{caption(field)} is '{text}', but must be {what}.") from None


def sizes_of(field: LineEdit) -> tuple[int, ...] | None:
    """Return the whole numbers in an optional field, such as 32, 96, 96; None if it is empty.

    Raises
    ------
    SettingsError
        If there is something else in it.
    """
    parts = [part for part in re.split(r"[\s,x]+", str(field.value).strip()) if part]
    if not all(part.isdecimal() for part in parts):
        raise SettingsError(
            f"{caption(field)} is '{field.value}', but must be whole numbers "
            "such as 256 or 32, 96, 96."
        )
    return tuple(int(part) for part in parts) or None


def caption(field: Widget) -> str:
    """Return how a field is called in front of it and in messages."""
    label = field.label
    return label[:1].upper() + label[1:]


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


def shrink(combo: QComboBox) -> None:
    """Let a combo box be narrower than its longest text."""
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(5)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    combo.installEventFilter(_Elider(combo))


class _Fold(QCollapsible):
    """A headline that opens and closes what is below it; closed, that is really hidden."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self._title = title
        self.setDuration(0)
        # Its icons keep the colour of the theme they were made in; letters follow the theme.
        self.setCollapsedIcon(QIcon())
        self.setExpandedIcon(QIcon())
        # The theme paints an opened fold like a pressed button, which is too loud for a headline.
        self.toggleButton().setStyleSheet(
            "QPushButton { background: transparent; border: none; text-align: left; padding: 2px; }"
        )
        for layout, around in ((self.layout(), 0), (self.content().layout(), _SPACING)):
            assert layout is not None  # noqa: S101  superqt gives both a layout
            layout.setContentsMargins(0, around, 0, around)
            layout.setSpacing(0)
        self.toggled.connect(self._show_content)
        self._show_content(False)

    def _show_content(self, opened: bool) -> None:
        self.content().setVisible(opened)
        self.setText(f"{'▾' if opened else '▸'}  {self._title}")


class _Elider(QObject):
    """Paints a combo box with dots where its text is too long; napari's style cuts letters."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        if event is None or event.type() != QEvent.Type.Paint:
            return False
        if not isinstance(watched, QComboBox):
            return False
        option = QStyleOptionComboBox()
        option.initFrom(watched)
        option.frame = watched.hasFrame()
        style = watched.style()
        if style is None:
            return False
        room = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            watched,
        )
        option.currentText = watched.fontMetrics().elidedText(
            watched.currentText(), Qt.TextElideMode.ElideRight, room.width() - 4
        )
        painter = QStylePainter(watched)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
        return True


def _side_by_side(fields: Sequence[Widget]) -> QWidget:
    area = QWidget()
    row = QHBoxLayout(area)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(_SPACING)
    for index, field in enumerate(fields):
        row.addWidget(field.native, 1 if index == 0 else 0)
    return area
