"""Combo boxes that may be narrower than their texts."""

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QComboBox, QSizePolicy, QStyle, QStyleOptionComboBox, QStylePainter

__all__ = ["make_narrow"]


def make_narrow(combo: QComboBox) -> None:
    """Let a combo box be narrower than its longest text.

    Long texts lose their middle, as names often differ in the last letters alone.
    """
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(5)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    view = combo.view()
    if view is not None:
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    combo.installEventFilter(_Elider(combo))


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
            watched.currentText(), Qt.TextElideMode.ElideMiddle, room.width() - 4
        )
        painter = QStylePainter(watched)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
        return True
