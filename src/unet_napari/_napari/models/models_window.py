"""A window with the models that there are, and what can be done with them."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QFile, Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from unet_napari._napari.models.model_table import ModelTable
from unet_napari._napari.widgets.fields import Message
from unet_napari._napari.widgets.model_combo import ModelCombo, model_saved, what_for
from unet_napari.errors import UnetNapariError
from unet_napari.model.info import ListedModel
from unet_napari.model.names import unused_name
from unet_napari.model.shelf import duplicate_model, remove_model, rename_model

__all__ = ["ModelsWindow", "open_models"]

_SIZE = (680, 420)  # pixels


def open_models(combo: ModelCombo) -> "ModelsWindow":
    """Show the models in a window from which one is chosen; the one that is open, if it is.

    Parameters
    ----------
    combo : ModelCombo
        Takes the model that is chosen. The window closes with the window that it is in.
    """
    owner = combo.native.window()
    window = next((w for w in owner.findChildren(ModelsWindow) if w.combo is combo), None)
    if window is None:
        window = ModelsWindow(combo, owner)
    window.show()
    window.raise_()
    window.activateWindow()
    return window


class ModelsWindow(QDialog):
    """The models in a table, with buttons for the selected one.

    Parameters
    ----------
    combo : ModelCombo
        Takes the model that is chosen.
    owner : QWidget
        The window goes when this does.
    """

    def __init__(self, combo: ModelCombo, owner: QWidget) -> None:
        super().__init__(owner)
        self.combo = combo
        self.setWindowTitle("U-Net models")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*_SIZE)
        self.table = ModelTable(self._rename)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        self.line = Message("models_line", "What was done.")
        self.buttons = {
            text: self._button(text, tooltip, do)
            for text, tooltip, do in (
                ("Use", "Choose this model in the dock.", self._use),
                ("Rename", "Type another name (F2). Its versions go with it.", self._edit),
                ("Duplicate", "Make a copy of your own.", self._duplicate),
                ("Delete", "Move the model to the trash, with its versions.", self._delete),
                ("Show in folder", "Open the folder that the file lies in.", self._show_folder),
            )
        }
        browse = self._button(
            "Open file…", "Take a model file from anywhere on this computer.", self._browse
        )
        layout, row = QVBoxLayout(self), QHBoxLayout()
        for widget in (self.table, self.about, self.line.native):
            layout.addWidget(widget)
        for push in self.buttons.values():
            row.addWidget(push)
        row.addStretch()
        row.addWidget(browse)
        layout.addLayout(row)
        self.table.itemSelectionChanged.connect(self._describe)
        self.table.itemDoubleClicked.connect(lambda _: self._use())
        model_saved.connect(self._list_again)
        self.finished.connect(lambda _: model_saved.disconnect(self._list_again, missing_ok=True))
        self.table.fill(combo.value)
        self._describe()

    def _button(self, text: str, tooltip: str, do: Callable[[], None]) -> QPushButton:
        push = QPushButton(text)
        push.setToolTip(tooltip)
        push.setAutoDefault(False)  # Return in the table must not press one
        push.clicked.connect(lambda _: do())
        return push

    def _list_again(self, _: str = "") -> None:
        chosen = self.table.chosen()
        self.table.fill(None if chosen is None else chosen.name)
        self._describe()

    def _describe(self) -> None:
        """Say what the selected model is for, and allow what can be done with it."""
        model = self.table.chosen()
        usable = model is not None and model.info is not None
        own = model is not None and not model.bundled
        for text, possible in (
            ("Use", usable),
            ("Rename", own),
            ("Duplicate", usable),
            ("Delete", own),
            ("Show in folder", model is not None),
        ):
            self.buttons[text].setEnabled(possible)
        if model is None:
            self.about.setText("Select a model.")
        elif model.info is None:
            self.about.setText(model.problem or "")
        else:
            self.about.setText(what_for(model.info))

    def _use(self) -> None:
        model = self.table.chosen()
        if model is not None and model.info is not None:
            self.combo.value = model.name
            self.close()

    def _edit(self) -> None:
        self.table.edit_name()

    def _rename(self, model: ListedModel, name: str) -> None:
        chosen = self.combo.value == model.name

        def rename() -> str:
            path = rename_model(model.path, name)
            self._saved(path)
            if chosen:
                self.combo.value = path.stem
            return f"'{model.name}' is called '{path.stem}' now."

        self._try(rename)

    def _duplicate(self) -> None:
        model = self.table.chosen()
        if model is not None:
            self._try(lambda: self._copied(duplicate_model(model.path, unused_name(model.name))))

    def _copied(self, path: Path) -> str:
        self._saved(path)
        return f"'{path.stem}' is a copy of your own."

    def _delete(self) -> None:
        model = self.table.chosen()
        if model is None:
            return

        def delete() -> str:
            remove_model(model.path, _to_trash)
            model_saved.emit("")
            return f"'{model.name}' is in the trash."

        self._try(delete)

    def _saved(self, path: Path) -> None:
        model_saved.emit(path.stem)
        self.table.choose(path.stem)

    def _try(self, do: Callable[[], str]) -> None:
        """Do something with a model, and say what became of it."""
        try:
            self.line.say(do())
        except UnetNapariError as error:
            self._list_again()
            self.line.say(str(error), error=True)

    def _show_folder(self) -> None:
        model = self.table.chosen()
        if model is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(model.path.parent)))

    def _browse(self) -> None:
        self.combo.browse()


def _to_trash(path: Path) -> bool:
    return bool(QFile(str(path)).moveToTrash())
