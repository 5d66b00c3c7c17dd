"""Names and paths that are wider than the label that shows them: broken on the screen, not copied.

Qt's labels break lines between words alone, so a long file name would be cut at the right. An
invisible break between all of its letters lets it go on in the next line; who copies the text
gets it without.
"""

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import (  # type: ignore[attr-defined]
    QAction,
    QClipboard,
    QKeyEvent,
    QKeySequence,
)
from qtpy.QtWidgets import QApplication, QLabel

__all__ = ["LongWordCopier", "break_long_words", "without_breaks"]

_BREAK = "\u200b"  # zero width space


def break_long_words(text: str, width: int, measure: Callable[[str], int]) -> str:
    """Return a text in which words that are wider than a line may be broken anywhere.

    Parameters
    ----------
    text : str
    width : int
        Width of a line.
    measure : callable
        Returns the width of a word.
    """
    lines = []
    for line in text.split("\n"):
        words = line.split(" ")
        lines.append(" ".join(_BREAK.join(w) if measure(w) > width else w for w in words))
    return "\n".join(lines)


def without_breaks(text: str) -> str:
    """Return a text as it was before `break_long_words`."""
    return text.replace(_BREAK, "")


class LongWordCopier(QObject):
    """Copies what is selected in a label, or all of it, without the breaks.

    Parameters
    ----------
    label : QLabel
        Label whose text can be selected with the mouse.
    """

    def __init__(self, label: QLabel) -> None:
        super().__init__(label)
        self._label = label
        copy = QAction("Copy", label)
        copy.triggered.connect(self.copy)
        label.addAction(copy)
        label.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        label.installEventFilter(self)

    def copy(self) -> None:
        """Put the text on the clipboard."""
        text = self._label.selectedText() or self._label.text()
        _clipboard().setText(without_breaks(text))

    def eventFilter(self, _: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        if isinstance(event, QKeyEvent) and event.matches(QKeySequence.StandardKey.Copy):
            if event.type() == QEvent.Type.KeyPress:
                self.copy()
                return True
        elif event is not None and event.type() == QEvent.Type.MouseButtonRelease:
            QTimer.singleShot(0, self._select)  # after Qt has taken what was selected
        return False

    def _select(self) -> None:
        """Correct what the middle button would paste, where there is such a thing (X11)."""
        selected = self._label.selectedText()
        if _clipboard().supportsSelection() and selected != without_breaks(selected):
            _clipboard().setText(without_breaks(selected), QClipboard.Mode.Selection)


def _clipboard() -> QClipboard:
    clipboard = QApplication.clipboard()
    if clipboard is None:
        raise RuntimeError("There is no application.")
    return clipboard
