"""The look of the docks: a magicgui container whose fields stand in aligned rows, some folded."""

from collections.abc import Sequence

from magicgui.widgets import Container
from magicgui.widgets.bases import Widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from unet_napari._napari.widgets.fields import caption, folds
from unet_napari._napari.widgets.fold import Fold

__all__ = ["Form", "FormRows"]

_LEAST_WIDTH = 300  # pixels; napari makes a new dock as narrow as it may be, and no choice is cut
_MARGIN = 8  # pixels around the fields
_SPACING = 6  # pixels between rows


class FormRows:
    """Labelled fields in aligned rows.

    Parameters
    ----------
    owner : Form
        The dock that the fields belong to, and that they are reached through by name.
    area : QWidget
        Widget in which the rows are drawn; it gets its layout here.
    title : str
        The headline above them, which messages about the fields name.
    """

    def __init__(self, owner: "Form", area: QWidget, title: str = "") -> None:
        self._owner, self._title, self._area = owner, title, area
        self._layout = QFormLayout(area)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(_SPACING)
        self._layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self._layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)

    def add(self, field: Widget, *beside: Widget) -> None:
        """Add a field behind its label, and further ones beside it."""
        folds[field] = self._title
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

    def add_wide(self, field: Widget, beside: QWidget | None = None) -> None:
        """Add a field over the whole width, without a label; something small may stand beside."""
        self._owner.append(field)
        self._layout.addRow(field.native if beside is None else _row([field.native, beside]))

    def unfold(self) -> None:
        """Show the rows, if they are folded."""
        fold = self._area.parentWidget()
        if isinstance(fold, Fold):
            fold.headline.setChecked(True)

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

    def add_rows(self) -> FormRows:
        """Start a group of rows that is always shown."""
        area = QWidget()
        self._body.addWidget(area)
        return FormRows(self, area)

    def add_folded(self, title: str, tooltip: str) -> FormRows:
        """Start a group of rows that is shown when the user opens it."""
        fold = Fold(title)
        fold.setToolTip(tooltip)
        self._body.addWidget(fold)
        return FormRows(self, fold.content, title)

    def finish(self) -> None:
        """Align the fields of all groups and push them to the top; called once, at the end."""
        self.align()
        self._body.addStretch(1)

    def align(self) -> None:
        """Make all captions as wide as the longest one, in the font that they have now."""
        for label in self.captions:
            label.ensurePolished()
        width = max(label.sizeHint().width() for label in self.captions)
        for label in self.captions:
            label.setFixedWidth(width)


def _side_by_side(fields: Sequence[Widget]) -> QWidget:
    return _row([field.native for field in fields])


def _row(widgets: Sequence[QWidget]) -> QWidget:
    """Put widgets beside each other; the first one takes the room that there is."""
    area = QWidget()
    row = QHBoxLayout(area)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(_SPACING)
    for index, widget in enumerate(widgets):
        row.addWidget(widget, 1 if index == 0 else 0)
    return area
