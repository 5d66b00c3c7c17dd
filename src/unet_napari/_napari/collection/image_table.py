"""The list of images as a table, which sorts by each column."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
)
from qtpy.QtGui import QFont, QIcon, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from unet_napari.images.formats.names import image_stem

__all__ = ["ImageTable", "Row"]

_Index = QModelIndex | QPersistentModelIndex
_HEIGHT = 150  # pixels, about six images
_ROW_HEIGHT = 20  # pixels
_LONG_COUNT = 10_000  # objects; there is no room for more digits
_NARROW = 20  # pixels, the width of a column with a mark
_MARGIN = 6  # pixels beside a number
_PICTURE = 28  # pixels, the side of a small picture


@dataclass(frozen=True)
class Row:
    """What the table shows of an image.

    Attributes
    ----------
    key : hashable
        What the image is known by.
    name : str
    painted : bool
    train : bool
        Whether it takes part in a training.
    is_open : bool
        Whether it is the one that the viewer shows.
    problem : str
        Why it cannot be used; empty where it can.
    objects : int or None
        How many were found.
    doubt : float or None
        How doubtful they are on average, 0 to 1.
    familiarity : float or None
        How like the images that the model knows it is.
    thumbnail : ndarray of uint8 or None
        A small picture of it, ``(Y, X, 3)``.
    """

    key: Hashable
    name: str
    painted: bool = False
    train: bool = True
    is_open: bool = False
    problem: str = ""
    objects: int | None = None
    doubt: float | None = None
    familiarity: float | None = None
    thumbnail: NDArray[np.uint8] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class _Column:
    title: str
    about: str
    text: Callable[[Row], str]
    order: Callable[[Row], Any]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _count(objects: int | None) -> str:
    """Return a count in five letters: ``9,999``, ``12.3k``."""
    if objects is None or objects < _LONG_COUNT:
        return _number(objects, ",")
    return f"{objects / 1000:,.1f}k" if objects < 10 * _LONG_COUNT else f"{objects // 1000:,}k"


def _or_last(value: float | None) -> float:
    return float("-inf") if value is None else float(value)


_COLUMNS = (
    _Column(
        "Image",
        "The name of its file. A click opens it.",
        lambda r: image_stem(r.name) if isinstance(r.key, str) else r.name,
        lambda r: r.name,
    ),
    _Column(
        "●",
        "Whether something is painted on it.",
        lambda r: "●" if r.painted else "",
        lambda r: r.painted,
    ),
    _Column(
        "✓",
        "Whether it takes part in a training, if it has paint.",
        lambda _: "",
        lambda r: r.train,
    ),
    _Column(
        "Count",
        "How many objects were found in it.",
        lambda r: _count(r.objects),
        lambda r: _or_last(r.objects),
    ),
    _Column(
        "Doubt",
        "How doubtful its objects are on average, from 0 to 1.",
        lambda r: _number(r.doubt, ".2f"),
        lambda r: _or_last(r.doubt),
    ),
    _Column(
        "Like",
        "How like the images that the model knows it is.",
        lambda r: _number(r.familiarity, ".2f"),
        lambda r: _or_last(r.familiarity),
    ),
)
_TRAIN = 2  # the column with a box to tick


class _Model(QAbstractTableModel):
    """The rows, as Qt asks for them."""

    def __init__(self, chosen: Callable[[Hashable, bool], None]) -> None:
        super().__init__()
        self.rows: list[Row] = []  # as they are shown
        self._column, self._descending = 0, False  # what they are sorted by
        self._chosen = chosen
        self._icons: dict[Hashable, tuple[object, QIcon]] = {}

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; as long as the images are the same, the view stays where it is."""
        wanted = self._sorted(rows)
        same = [row.key for row in wanted] == [row.key for row in self.rows]
        if not same:
            self.beginResetModel()
        self.rows = wanted
        if not same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(_COLUMNS) - 1))

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the rows by a column, here rather than in a proxy, which asks for each value."""
        self._column, self._descending = column, order == Qt.SortOrder.DescendingOrder
        self.layoutAboutToBeChanged.emit()
        self.rows = self._sorted(self.rows)
        self.layoutChanged.emit()

    def _sorted(self, rows: Sequence[Row]) -> list[Row]:
        order = _COLUMNS[self._column].order
        return sorted(rows, key=order, reverse=self._descending)

    def rowCount(self, _: _Index = QModelIndex()) -> int:  # noqa: N802, B008
        return len(self.rows)

    def columnCount(self, _: _Index = QModelIndex()) -> int:  # noqa: N802, B008
        return len(_COLUMNS)

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:  # noqa: ANN401
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = _COLUMNS[section]
        return {
            Qt.ItemDataRole.DisplayRole: column.title,
            Qt.ItemDataRole.ToolTipRole: column.about,
        }.get(Qt.ItemDataRole(role))

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        row, column = self.rows[index.row()], _COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.problem or row.name
        if role == Qt.ItemDataRole.CheckStateRole and index.column() == _TRAIN:
            return Qt.CheckState.Checked if row.train else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return self._icon(row)
        if role == Qt.ItemDataRole.FontRole:
            font = QFont()
            font.setBold(row.is_open and index.column() == 0)
            font.setStrikeOut(bool(row.problem))
            return font
        return None

    def _icon(self, row: Row) -> QIcon | None:
        """Return the small picture of an image, made once."""
        if row.thumbnail is None:
            return None
        picture, icon = self._icons.get(row.key, (None, None))
        if picture is not row.thumbnail:
            pixels = np.ascontiguousarray(row.thumbnail)
            height, width, _ = pixels.shape
            shown = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
            icon = QIcon(QPixmap.fromImage(shown.copy()))
            self._icons[row.key] = row.thumbnail, icon
        return icon

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == _TRAIN else flags

    def setData(  # noqa: N802
        self,
        index: _Index,
        value: Any,  # noqa: ANN401
        role: int = Qt.ItemDataRole.EditRole,
    ) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != _TRAIN:
            return False
        self._chosen(self.rows[index.row()].key, Qt.CheckState(value) == Qt.CheckState.Checked)
        return True


class ImageTable(QTableView):
    """Shows the images of the list.

    Parameters
    ----------
    opened : callable
        Called with the key of an image that the user clicks.
    chosen : callable
        Called with the key of an image, and whether it takes part in a training, when the user
        ticks its box.
    """

    def __init__(
        self, opened: Callable[[Hashable], None], chosen: Callable[[Hashable, bool], None]
    ) -> None:
        super().__init__()
        self._rows = _Model(chosen)
        self.setModel(self._rows)
        self._opened = opened
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        # The names of a folder mostly begin alike.
        self.setTextElideMode(Qt.TextElideMode.ElideLeft)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setIconSize(QSize(_PICTURE, _PICTURE))
        self.setFixedHeight(_HEIGHT)
        self.setToolTip("The images of the list. A click opens one, with its labels.")
        header = QHeaderView(Qt.Orientation.Horizontal, self)
        header.setSectionsClickable(True)
        header.setMinimumSectionSize(20)
        self.setHorizontalHeader(header)
        # napari's theme leaves so much room around each word that there is none for the names.
        header.setStyleSheet("QHeaderView::section { padding: 2px 1px; }")
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        for column, text in enumerate(("", "", "", "9,99999", "Doubt", "0.00")):
            room = self.fontMetrics().horizontalAdvance(text) + _MARGIN
            header.resizeSection(column, max(_NARROW, room))
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        rows = QHeaderView(Qt.Orientation.Vertical, self)
        rows.setDefaultSectionSize(_ROW_HEIGHT)
        rows.hide()
        self.setVerticalHeader(rows)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.clicked.connect(self._on_clicked)

    @property
    def rows(self) -> list[Row]:
        """The rows in the order in which they are shown."""
        return list(self._rows.rows)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show these images."""
        self._rows.show(rows)
        pictures = any(row.thumbnail is not None for row in rows)
        heights = self.verticalHeader()
        if heights is not None:
            heights.setDefaultSectionSize(_PICTURE + 4 if pictures else _ROW_HEIGHT)
        at = next((n for n, row in enumerate(self.rows) if row.is_open), None)
        if at is not None and at != self.currentIndex().row():
            self.setCurrentIndex(self._rows.index(at, 0))  # which scrolls there
        for column, values in ((3, "objects"), (4, "doubt"), (5, "familiarity")):
            self.setColumnHidden(column, all(getattr(row, values) is None for row in rows))

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() != _TRAIN:
            self._opened(self.rows[index.row()].key)
