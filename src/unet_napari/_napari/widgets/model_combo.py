"""The choice of a trained model: the ones in the models folder, and files from anywhere."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox
from psygnal import Signal
from qtpy.QtWidgets import QFileDialog

from unet_napari._napari.layers.results import Purpose
from unet_napari._napari.widgets.narrow import make_narrow
from unet_napari.errors import ModelFileError
from unet_napari.model.description import describe_model
from unet_napari.model.info import ListedModel, ModelInfo, find_model, list_models, read_info
from unet_napari.tasks.kinds.catalogue import described_kind

__all__ = ["ModelCombo", "model_saved", "what_for"]


class _Library:
    """The models folder, as far as this program has changed it."""

    model_saved = Signal(str)


model_saved = _Library().model_saved
"""Emitted with a model's name when it was saved; every dock lists it then."""


class ModelCombo(ComboBox):
    """A choice among models by name; its value is what ``Model.load`` takes, or None.

    A value that is not in the list may be set as well, if it is the path of a model file.

    Parameters
    ----------
    placeholder : str
        What is shown while no model is chosen.
    **options
        Options of `magicgui.widgets.ComboBox`.
    """

    def __init__(self, placeholder: str, **options: Any) -> None:  # noqa: ANN401
        self.null_string = placeholder
        self._files: list[str] = []
        self._bundled: set[str] = set()
        self._plain_tooltip = options.get("tooltip", "")
        self.untouched = True  # nobody has chosen a model
        super().__init__(nullable=True, choices=self._list, **options)
        make_narrow(self.native)
        self.changed.connect(self._describe)
        self.changed.connect(self._touch)

    @property
    def value(self) -> str | None:
        """Name or path of the model."""
        return ComboBox.value.fget(self)  # type: ignore[no-any-return, attr-defined]

    @value.setter
    def value(self, model: str | Path | None) -> None:
        if model is not None and str(model) not in self.choices:
            find_model(model)  # raises the error that says which models there are
            self._files.append(str(model))
            self.reset_choices()
        ComboBox.value.fset(self, None if model is None else str(model))  # type: ignore[attr-defined]

    def browse(self) -> None:
        """Let the user choose a file from anywhere."""
        path, _ = QFileDialog.getOpenFileName(
            self.native, "Open a model", "", "U-Net models (*.unet);;All files (*)"
        )
        if path:
            self.value = path

    def reset_choices(self, *_: object) -> None:
        """List the models again and keep the one that is chosen, or none if it is gone."""
        chosen = self.value
        with self.changed.blocked():
            self.native.clear()
            super().reset_choices()
            ComboBox.value.fset(self, chosen if chosen in self.choices else None)  # type: ignore[attr-defined]
        if self.value != chosen:
            self.changed.emit(self.value)
            self.untouched = True  # its file is gone

    def suggest(self, suits: Callable[[ModelInfo], bool]) -> None:
        """Choose the user's latest model, or a bundled one, as long as nobody has chosen.

        One that suits goes before one that does not.
        """
        usable = [model for model in list_models() if model.info is not None]
        if self.untouched and usable:
            rank = lambda model: (suits(model.info), *_rank(model))  # noqa: E731
            self.value = max(usable, key=rank).name
            self.untouched = True

    def need_info(self) -> ModelInfo:
        """Return what the chosen model says about itself, called by its file's name.

        The name within the file is what it was called when it was trained, often just "cells".

        Raises
        ------
        ModelFileError
            If none is chosen, or the file is missing or damaged.
        """
        path = find_model(self.value or "")
        return replace(read_info(path), name=path.stem)

    def need_purpose(self) -> Purpose:
        """Return what tells the results of the chosen model from those of every other.

        That is its file, and the state of it: a file may be replaced by another model.

        Raises
        ------
        ModelFileError
            If none is chosen, or the file is missing.
        """
        return model_purpose(self.value or "")

    def _list(self, _: object) -> list[tuple[str, str]]:
        models = list_models()
        self._bundled = {model.name for model in models if model.bundled}
        known = [(_label(model), model.name) for model in models]
        return known + [(Path(file).name, file) for file in self._files]

    def _touch(self) -> None:
        self.untouched = False

    def _describe(self, _: object) -> None:
        origin = "Comes with unet-napari:\n" if self.value in self._bundled else ""
        try:
            info = None if self.value is None else self.need_info()
            text = "" if info is None else f"{what_for(info)}\n\n{origin}{describe_model(info)}"
        except ModelFileError as error:
            text = str(error)
        self.native.setToolTip(f"{text}\n\n{self._plain_tooltip}".strip())


def what_for(info: ModelInfo) -> str:
    """Say in a sentence what a model is for: what it was made for, else what it can take."""
    source = info.provenance
    notes = source.get("notes")
    made_for = notes.get("for") if isinstance(notes, dict) else source.get("for")
    if isinstance(made_for, str) and made_for:
        text = f"For {made_for}"
    else:
        kind = described_kind(info.task)
        things = "classes of pixels" if kind is None else kind.found
        channels = "1 channel" if info.channels == 1 else f"{info.channels} channels"
        text = f"For {things} in {info.ndim}D images of {channels}"
        if info.diameter is not None:
            text = f"{text}, about {info.diameter:.3g} pixels across"
    return f"{text}."


def _label(model: ListedModel) -> str:
    # Short, as the combo box is narrow: where a model comes from is told by the tooltip.
    return model.name if model.problem is None else f"{model.name} (damaged)"


def _rank(model: ListedModel) -> tuple[bool, float]:
    return not model.bundled, model.path.stat().st_mtime


def model_purpose(name: str) -> Purpose:
    """Return what tells the results of a model, given by name or path, from those of every other.

    Raises
    ------
    ModelFileError
        If there is no such model.
    """
    path = find_model(name).resolve()
    state = path.stat()
    return Purpose(path.stem, f"model {path} {state.st_mtime_ns} {state.st_size}")
