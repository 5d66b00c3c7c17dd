"""The models of a user in a table: picture, name, what it finds, score, date and size."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from unet_napari.errors import ModelFileError
from unet_napari.model.info import ListedModel, ModelInfo, list_models, read_thumbnail
from unet_napari.tasks.kinds.catalogue import described_kind

__all__ = ["ModelTable"]

_TITLES = ("Model", "Finds", "Images", "Score", "Saved", "MiB")
_ICON = 48  # pixels
_SORTED_BY = Qt.ItemDataRole.UserRole


class ModelTable(QTableWidget):
    """A row for each model, which a click on a title sorts; a name can be edited in place.

    Parameters
    ----------
    renamed : callable
        Called with a model and the name that was typed.
    """

    def __init__(self, renamed: Callable[[ListedModel, str], None]) -> None:
        super().__init__(0, len(_TITLES))
        self._renamed = renamed
        self._models: dict[str, ListedModel] = {}
        self.setHorizontalHeaderLabels(list(_TITLES))
        self.setIconSize(QSize(_ICON, _ICON))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        rows = QHeaderView(Qt.Orientation.Vertical, self)
        rows.setDefaultSectionSize(_ICON + 4)
        rows.hide()
        self.setVerticalHeader(rows)
        columns = QHeaderView(Qt.Orientation.Horizontal, self)
        columns.setSectionsClickable(True)
        self.setHorizontalHeader(columns)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        columns.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.itemChanged.connect(self._edited)

    def fill(self, chosen: str | None) -> None:
        """List the models anew, and select one by its name if it is there."""
        models = list_models()
        self._models = {model.name: model for model in models}
        self.blockSignals(True)
        self.setSortingEnabled(False)  # rows would move while they are filled
        self.setRowCount(len(models))
        for row, model in enumerate(models):
            for column, item in enumerate(_items(model)):
                self.setItem(row, column, item)
        self.setSortingEnabled(True)
        self.blockSignals(False)
        self.choose(chosen)

    def choose(self, name: str | None) -> None:
        """Select a model by its name, or none."""
        self.clearSelection()
        for row in range(self.rowCount()):
            item = self.item(row, 0)
            if item is not None and item.data(_SORTED_BY) == name:
                self.selectRow(row)
                self.scrollToItem(item)

    def chosen(self) -> ListedModel | None:
        """Return the selected model."""
        rows = {item.row() for item in self.selectedItems()}
        item = self.item(min(rows), 0) if rows else None
        return None if item is None else self._models.get(item.data(_SORTED_BY))

    def edit_name(self) -> None:
        """Let the user type another name for the selected model."""
        model = self.chosen()
        if model is not None:
            self.editItem(self.selectedItems()[0])

    def _edited(self, item: QTableWidgetItem) -> None:
        model = self._models.get(item.data(_SORTED_BY))
        if item.column() == 0 and model is not None and item.text() != model.name:
            self._renamed(model, item.text())


class _Cell(QTableWidgetItem):
    """A cell that is sorted by a number, not by its text."""

    def __lt__(self, other: QTableWidgetItem) -> bool:
        mine, theirs = self.data(_SORTED_BY), other.data(_SORTED_BY)
        return bool(mine < theirs)


def _items(model: ListedModel) -> list[QTableWidgetItem]:
    """Return the cells of a row; the first holds the name and can be edited."""
    name = QTableWidgetItem(model.name)
    name.setData(_SORTED_BY, model.name)
    name.setIcon(_icon(model))
    if model.bundled:
        name.setFlags(name.flags() & ~Qt.ItemFlag.ItemIsEditable)
    state = model.path.stat()
    saved = datetime.fromtimestamp(state.st_mtime).astimezone()
    cells = [
        *_facts(model),
        ("with unet-napari" if model.bundled else f"{saved:%d %b %Y, %H:%M}", state.st_mtime),
        (f"{state.st_size / 2**20:.1f}", state.st_size),
    ]
    return [name, *(_cell(text, order) for text, order in cells)]


def _facts(model: ListedModel) -> list[tuple[str, object]]:
    """Return what a model finds, in what images, and its score: as texts, and for sorting."""
    info = model.info
    if info is None:
        return [("damaged", ""), ("", ""), ("", -1.0)]
    kind = described_kind(info.task)
    found = "" if kind is None else kind.found
    images = f"{info.ndim}D" if info.channels == 1 else f"{info.ndim}D, {info.channels} channels"
    return [(found, found), (images, images), _score(info)]


def _score(info: ModelInfo) -> tuple[str, float]:
    score = info.provenance.get("score")
    if not isinstance(score, int | float):
        return "not judged", -1.0
    return f"{info.provenance.get('score_name', '')} {score:.2f}".strip(), float(score)


def _cell(text: str, order: object) -> QTableWidgetItem:
    cell = _Cell(text)
    cell.setData(_SORTED_BY, order)
    cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
    return cell


def _icon(model: ListedModel) -> QIcon:
    try:
        picture = None if model.info is None else read_thumbnail(model.path)
    except ModelFileError:  # it has gone just now
        picture = None
    return QIcon() if picture is None else QIcon(_pixmap(picture))


def _pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    pixels = np.ascontiguousarray(picture)
    height, width, _ = pixels.shape
    return QPixmap.fromImage(
        QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    )
