"""A headline that opens and closes what is below it."""

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

__all__ = ["Fold"]

_SPACING = 6  # pixels between headline and content


class Fold(QWidget):
    """A group of fields that is hidden until its headline is clicked.

    Parameters
    ----------
    title : str
        The headline.

    Attributes
    ----------
    headline : QPushButton
    content : QWidget
        Still without a layout.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self.headline = QPushButton()
        self.headline.setCheckable(True)
        # The theme paints an opened fold like a pressed button, which is too loud for a headline.
        self.headline.setStyleSheet(
            "QPushButton { background: transparent; border: none; text-align: left; padding: 2px; }"
        )
        self.content = QWidget()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(_SPACING)
        layout.addWidget(self.headline)
        layout.addWidget(self.content)
        self.headline.toggled.connect(self._show_content)
        self._show_content(False)

    def _show_content(self, opened: bool) -> None:
        self.content.setVisible(opened)
        self.headline.setText(f"{'▾' if opened else '▸'}  {self._title}")
