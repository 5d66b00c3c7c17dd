"""A name without spaces is not cut at the right of a message, and is copied as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from unet_napari._napari.widgets.fields import Message
from unet_napari._napari.widgets.long_words import break_long_words, without_breaks

NAME = "an_image_of_which_nobody_has_ever_thought_that_its_name_might_be_shown_somewhere.ome.tif"


@pytest.fixture
def message(qtbot):
    """A message in a narrow widget."""
    holder = QWidget()
    qtbot.addWidget(holder)
    message = Message("status", "about")
    QVBoxLayout(holder).addWidget(message.native)
    holder.resize(200, 300)
    holder.show()
    yield message
    holder.close()


def test_a_long_name_goes_on_in_the_next_line(message, qtbot):
    message.say("short")
    line = message.native.height()
    message.say(NAME)
    assert message.value == NAME
    qtbot.waitUntil(lambda: message.native.height() >= 3 * line - 4)
    label = message.native
    assert label.fontMetrics().horizontalAdvance(NAME) > 2 * label.width()
    needed = label.fontMetrics().boundingRect(
        label.contentsRect(), Qt.TextFlag.TextWordWrap, label.text()
    )
    assert needed.width() <= label.width()


def test_in_a_wide_window_nothing_is_broken(message, qtbot):
    message.say(f"'{NAME}' was removed.")
    assert message.native.text() != message.value
    message.native.window().resize(1500, 300)
    qtbot.waitUntil(lambda: message.native.text() == f"'{NAME}' was removed.")
    message.native.window().resize(200, 300)
    qtbot.waitUntil(lambda: message.native.text() != message.value)


def test_what_is_copied_can_be_pasted_into_a_shell(message, qtbot):
    message.say(f"saved as /data/{NAME}")
    label = message.native
    (copy,) = label.actions()
    copy.trigger()
    assert QApplication.clipboard().text() == f"saved as /data/{NAME}"
    label.setFocus()
    start = label.text().index("/")
    label.setSelection(start, len(label.text()) - start)
    qtbot.keyClick(label, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text() == f"/data/{NAME}"


@given(st.text(alphabet="ab \n/"), st.integers(0, 5))
def test_breaking_changes_no_letter(text, width):
    broken = break_long_words(text, width, len)
    assert without_breaks(broken) == text
    assert all(len(piece) <= max(width, 1) for piece in broken.replace("\u200b", " ").split())
