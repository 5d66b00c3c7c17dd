import math

import pytest
from qtpy.QtGui import QColor, QImage, QPalette

from unet_napari._napari.widgets.plot import LOSS_COLOUR, SCORE_COLOUR, Curve, TrainingPlot


def test_long_curves_are_thinned_out_and_keep_their_shape():
    curve = Curve()
    for step in range(100_000):
        curve.append(step, step * 2)
    assert len(curve.points) <= 2000
    assert all(y == 2 * x for x, y in curve.points)
    assert curve.points[-1][0] > 98_000


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_left_out(value):
    curve = Curve()
    curve.append(1, value)
    assert curve.points == []


@pytest.fixture
def plot(qtbot):
    plot = TrainingPlot()
    qtbot.addWidget(plot)
    plot.resize(240, 110)
    return plot


def colours(plot):
    image = QImage(plot.size(), QImage.Format.Format_RGB32)  # of full depth, on any screen
    plot.render(image)
    return {
        image.pixelColor(x, y).name()
        for x in range(image.width())
        for y in range(25, image.height())
    }


def test_an_empty_plot_is_drawn(plot):
    assert LOSS_COLOUR.name() not in colours(plot)


def test_both_curves_are_drawn(plot):
    for step in range(1, 50):
        plot.add_loss(step, 1 / step)
        plot.add_score(step, 1 - 1 / step, "AP50")
    drawn = colours(plot)
    assert LOSS_COLOUR.name() in drawn
    assert SCORE_COLOUR.name() in drawn


def test_a_loss_of_zero_is_drawn(plot):
    plot.add_loss(1, 0.0)
    plot.add_loss(2, 0.0)
    assert LOSS_COLOUR.name() in colours(plot)


def test_the_frame_is_in_the_colour_of_the_themes_text(plot):
    def frame(colour):
        palette = plot.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(colour))
        palette.setColor(QPalette.ColorRole.Window, QColor("black"))
        plot.setPalette(palette)
        plot.setAutoFillBackground(True)
        return colours(plot)

    assert frame("red") != frame("green")
