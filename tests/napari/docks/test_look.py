"""What a person sees: nothing clipped, few controls, a tooltip on each."""

import pytest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QWidget,
)

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.widgets.fold import Fold

CONTROLS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit)


@pytest.fixture(params=["dark", "light"])
def theme(request, viewer):
    before, viewer.theme = viewer.theme, request.param
    yield
    viewer.theme = before


@pytest.fixture(params=[TrainDock, SegmentDock])
def dock(request, viewer, theme, job, painted, qtbot):
    """A dock of 300 x 650 pixels: what is left of a window of 700."""
    image, labels = painted
    viewer.add_image(image, name="an image with a name that is far too long for the dock")
    viewer.add_labels(labels, name="labels with a name that is far too long for the dock")
    dock = request.param(viewer, job)
    viewer.window.add_dock_widget(dock, name="dock")
    dock.status.say("A rather long message that has to be broken into several lines. " * 3)
    dock.native.setParent(None)
    dock.native.resize(300, 650)
    dock.native.show()
    qtbot.waitExposed(dock.native)
    yield dock
    dock.native.deleteLater()


def shown(dock, kinds):
    children = dock.native.findChildren(QWidget)
    return [child for child in children if isinstance(child, kinds) and child.isVisible()]


def needed_height(content):
    layout = content.layout()
    if layout.hasHeightForWidth():  # texts that wrap
        return layout.minimumHeightForWidth(content.width())
    return content.minimumSizeHint().height()


def folds(dock):
    return dock.native.findChildren(Fold)


def test_at_most_six_controls_are_shown_and_the_rest_is_folded(dock):
    handles = {fold.headline for fold in folds(dock)}
    controls = [child for child in shown(dock, CONTROLS) if child not in handles]
    assert 4 <= len(controls) <= 6
    assert all(fold.toolTip() for fold in folds(dock))


def test_every_field_has_a_tooltip(dock):
    assert [field.name for field in dock if not field.tooltip] == []


def test_nothing_is_wider_than_the_dock(dock, qtbot):
    for fold in folds(dock):
        fold.headline.setChecked(True)
    qtbot.wait(50)
    area = dock.native.findChild(QScrollArea)
    assert area.widget().width() <= area.viewport().width()
    for child in shown(dock, (*CONTROLS, QLabel)):
        right = child.mapTo(dock.native, child.rect().topRight()).x()
        assert right <= dock.native.width(), child
        assert child.width() >= min(child.minimumSizeHint().width(), 40), child


def test_what_is_folded_opens(dock, qtbot):
    for fold in folds(dock):
        assert not fold.content.isVisible()
        fold.headline.click()
        assert fold.content.isVisible()
        content = fold.content
        qtbot.waitUntil(lambda it=content: it.height() >= needed_height(it))


def test_without_unfolding_everything_fits_into_the_height(dock):
    area = dock.native.findChild(QScrollArea)
    assert area.verticalScrollBar().maximum() == 0


def test_texts_that_wrap_get_the_height_they_need(dock):
    for label in shown(dock, QLabel):
        assert label.height() >= label.heightForWidth(label.width()) - 1, label.text()


def test_several_texts_that_wrap_get_the_height_they_need_and_no_more(dock, qtbot):
    above = dock.detected if isinstance(dock, TrainDock) else dock.found
    labels = [message.native for message in (above, dock.status, dock.warning)]
    for lines in (4, 1, 3):
        for message in (above, dock.status, dock.warning):
            message.say("Words that take up a line or so. " * (lines + (message is above)))
            qtbot.wait(20)
        ends = [label.mapTo(dock.native, label.rect().bottomLeft()).y() for label in labels]
        starts = [
            field.native.mapTo(dock.native, QPoint()).y() for field in (dock.run, dock.warning)
        ]
        assert ends[0] < starts[0]
        assert ends[1] < starts[1]
        assert [label.height() for label in labels] == pytest.approx(
            [label.heightForWidth(label.width()) for label in labels], abs=1
        )


def test_a_short_text_after_a_long_one_takes_the_height_of_a_short_one(dock, qtbot):
    heights = []
    for text in ("Done.", "Words that take up several lines. " * 6, "Done."):
        dock.status.say(text)
        qtbot.wait(20)
        heights.append(dock.status.native.height())
    assert heights[0] == heights[2] < heights[1]


def test_captions_are_shown_in_full(dock):
    for fold in folds(dock):
        fold.headline.setChecked(True)
    dock.align()
    for caption in dock.captions:
        assert caption.width() >= caption.fontMetrics().horizontalAdvance(caption.text())


def test_the_name_of_the_bundled_model_is_shown_in_full(viewer, job, library, qtbot):
    library("nuclei", bundled=True)
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="dock")
    dock.native.setParent(None)
    dock.native.resize(300, 650)
    dock.native.show()
    qtbot.waitExposed(dock.native)
    combo = dock.model.native
    option = QStyleOptionComboBox()
    option.initFrom(combo)
    field = QStyle.SubControl.SC_ComboBoxEditField
    room = (
        combo.style()
        .subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, combo)
        .width()
    )
    assert combo.currentText() == "nuclei"
    assert combo.fontMetrics().horizontalAdvance("nuclei") <= room - 4
    dock.native.deleteLater()
