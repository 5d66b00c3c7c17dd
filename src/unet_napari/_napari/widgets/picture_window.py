"""A small window with a picture in it."""

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

__all__ = ["show_picture"]

_SIDE = 700  # pixels of the longer side on the screen, at most


def show_picture(picture: NDArray[np.uint8], title: str, about: str, parent: QWidget) -> QDialog:
    """Open a window that shows a picture; the viewer stays in use.

    Parameters
    ----------
    picture : ndarray of uint8, shape (Y, X, 3)
    title : str
        The title of the window.
    about : str
        What the picture shows, written below it.
    parent : QWidget
        The window goes when this does.
    """
    pixels = np.ascontiguousarray(picture)
    height, width, _ = pixels.shape
    image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    side = min(_SIDE, max(height, width))
    shown = QPixmap.fromImage(image).scaled(
        side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    window = QDialog(parent)
    window.setWindowTitle(title)
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    label, caption = QLabel(), QLabel(about)
    label.setPixmap(shown)
    caption.setWordWrap(True)
    layout = QVBoxLayout(window)
    layout.addWidget(label)
    layout.addWidget(caption)
    window.show()
    return window
