"""The curve of a training: the loss falls on the left scale, the score rises on the right one."""

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

__all__ = ["TrainingPlot"]

# Blue and orange differ for every kind of colour vision, and both can be read on dark and light.
LOSS_COLOUR = QColor("#4c8dff")
SCORE_COLOUR = QColor("#e8923a")
_MAX_POINTS = 2000  # per curve; beyond that every other one is dropped


class Curve:
    """Points of one curve, in order of time.

    Thousands of points in a plot of three hundred pixels are thinned out as they come.
    """

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self._stride = 1
        self._seen = 0

    def append(self, x: float, y: float) -> None:
        """Add a point; what is not finite is left out."""
        if y - y != 0:  # NaN or infinite
            return
        if self._seen % self._stride == 0:
            self.points.append((x, y))
        self._seen += 1
        if len(self.points) > _MAX_POINTS:
            self.points = self.points[::2]
            self._stride *= 2


class TrainingPlot(QWidget):
    """Loss and score over the training steps, in the colours of the theme.

    A plain painter takes a small fraction of a millisecond where a plotting library takes tens,
    which the painting of labels would notice.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Loss (blue, left scale): how far the network is from your labels, lower is better.\n"
            "Score (orange, 0 to 1): how well it does on labelled pixels that are held out,\n"
            "higher is better. The best moment is kept."
        )
        self.clear()

    def clear(self, score_name: str = "score") -> None:
        """Forget the curves."""
        self.loss = Curve()
        self.score = Curve()
        self.score_name = score_name
        self.update()

    def add_loss(self, step: int, loss: float) -> None:
        """Add the loss of one step."""
        self.loss.append(step, loss)
        self.update()

    def add_score(self, step: int, score: float, name: str) -> None:
        """Add the score of one validation."""
        self.score_name = name
        self.score.append(step, score)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        return QSize(240, 110)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, ARG002  Qt's name
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        faint = QColor(text)
        faint.setAlpha(50)
        line = painter.fontMetrics().height()
        frame = QRectF(self.rect()).adjusted(0.5, line + 2.5, -0.5, -0.5)
        self._draw_legend(painter, frame, text)
        painter.setPen(QPen(faint, 1))
        painter.drawRect(frame)
        for quarter in (0.25, 0.5, 0.75):
            y = frame.top() + quarter * frame.height()
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
        last = max((c.points[-1][0] for c in (self.loss, self.score) if c.points), default=1)
        # The first steps of a network are far off; they must not flatten all that follows.
        losses = sorted(y for _, y in self.loss.points)
        top = losses[int(0.98 * (len(losses) - 1))] if losses else 1.0
        self._draw_curve(painter, frame, self.loss, last, top * 1.05 or 1.0, LOSS_COLOUR)
        self._draw_curve(painter, frame, self.score, last, 1.0, SCORE_COLOUR)
        painter.end()

    def _draw_legend(self, painter: QPainter, frame: QRectF, text: QColor) -> None:
        above = QRectF(frame.left(), 0, frame.width(), frame.top())
        left = f"loss {self.loss.points[-1][1]:.3g}" if self.loss.points else "loss"
        right = self.score_name
        if self.score.points:
            right = f"{self.score_name} {self.score.points[-1][1]:.2f}"
        for words, colour, side in (
            (left, LOSS_COLOUR, Qt.AlignmentFlag.AlignLeft),
            (right, SCORE_COLOUR, Qt.AlignmentFlag.AlignRight),
        ):
            painter.setPen(text)
            painter.drawText(above.adjusted(14, 0, -14, 0), side | Qt.AlignmentFlag.AlignTop, words)
            dot = above.left() + 5 if side == Qt.AlignmentFlag.AlignLeft else above.right() - 5
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(QPointF(dot, painter.fontMetrics().height() / 2), 4, 4)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    @staticmethod
    def _draw_curve(
        painter: QPainter, frame: QRectF, curve: Curve, last: float, top: float, colour: QColor
    ) -> None:
        points = [
            QPointF(
                frame.left() + frame.width() * x / last,
                frame.bottom() - frame.height() * min(max(y / top, 0.0), 1.0),
            )
            for x, y in curve.points
        ]
        painter.setPen(QPen(colour, 1.6))
        painter.drawPolyline(QPolygonF(points))
        if points:
            painter.setBrush(colour)
            painter.drawEllipse(points[-1], 2, 2)
            painter.setBrush(Qt.BrushStyle.NoBrush)
