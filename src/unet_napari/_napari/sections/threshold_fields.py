"""The sliders for what cuts maps into cells: they show the model's values until they are moved."""

from collections.abc import Mapping
from typing import Any

from magicgui.widgets import Label
from psygnal import Signal
from qtpy.QtWidgets import QSizePolicy

from unet_napari._napari.widgets.fields import button
from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.option_fields import OptionFields, slider_field
from unet_napari.inference.config import CellThresholds
from unet_napari.options import options_of

__all__ = ["ThresholdFields"]

_DIGITS = 2  # digits that the sliders show
_SLIDER_END = {2: 1000, 3: 10_000}  # right end of the slider for the smallest cell, by axes
_SLIDER_ROOM = 10  # a slider goes up to at least so many times the value of the model


class ThresholdFields:
    """The sliders, and the buttons that set, store and reset them.

    Parameters
    ----------
    rows : FormRows
        The folded group that they are added to.

    Signals
    -------
    moved()
        A slider has another value, whoever has moved it; not sent where it follows another model.
    """

    moved = Signal()

    def __init__(self, rows: FormRows) -> None:
        self._task: dict[str, Any] = {}  # task of the model
        self._following = False
        options = options_of(CellThresholds)
        self.sliders = {
            name: slider_field(option, _SLIDER_END[2]) for name, option in options.items()
        }
        self.unit = Label(name="unit", value="pixels", tooltip="Of a cell.", gui_only=True)
        fields = OptionFields(CellThresholds, made=self.sliders)
        fields.place_groups(rows, "Result", beside={"min_size": [self.unit]})
        self.fit = button(
            "fit_thresholds",
            "Fit to my painted cells",
            "Set the sliders so that the cells come out as you have painted them: those of the\n"
            "labels that are chosen in the Train dock, or of the only labels on the image.\n"
            "It takes at least five painted cells, and the image segmented once.",
        )
        self.reset = button("reset_thresholds", "Reset", "Go back to the values of the model.")
        self.keep = button(
            "keep_thresholds",
            "Keep in model",
            "Store these values in the model, for everybody who uses its file. A model that\n"
            "comes with unet-napari is copied to your own models.",
        )
        for wide in (self.fit, self.keep):
            wide.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        rows.add_wide(self.fit)
        rows.add_beside(self.keep, self.reset)
        for slider in self.sliders.values():
            slider.changed.connect(self._move)
        self.reset.changed.connect(lambda: self.set(self._task))
        self._offer()

    def follow(self, task: Mapping[str, Any], ndim: int) -> None:
        """Show the values of a model, unless they are those of the model before.

        Parameters
        ----------
        task : mapping
            The model's task; empty where there is no model.
        ndim : int
            Number of axes of the model.
        """
        self.unit.value = "voxels" if ndim == 3 else "pixels"
        if task == self._task:
            return
        self._task = dict(task)
        self._following = True
        try:
            size = int(task.get("min_size", 0))
            self.sliders["min_size"].max = max(_SLIDER_END[ndim], _SLIDER_ROOM * size)
            for name, slider in self.sliders.items():
                slider.enabled = name in task
            self._show(task)
        finally:
            self._following = False
        self._offer()

    def set(self, values: Mapping[str, Any]) -> None:
        """Move the sliders, and say so once."""
        before = self.values()
        self._following = True
        try:
            self._show(values)
        finally:
            self._following = False
        if self.values() != before:
            self._move()

    def values(self) -> dict[str, float]:
        """Return the values of all sliders that the model has."""
        return {name: slider.value for name, slider in self.sliders.items() if name in self._task}

    def changed(self) -> dict[str, float]:
        """Return the values that differ from those of the model."""
        return {
            name: value
            for name, value in self.values().items()
            if round(value, _DIGITS) != round(self._task[name], _DIGITS)
        }

    def _show(self, values: Mapping[str, Any]) -> None:
        for name, slider in self.sliders.items():
            if name in values:
                slider.max = max(slider.max, values[name])
                slider.value = values[name]

    def _move(self) -> None:
        if not self._following:
            self._offer()
            self.moved.emit()

    def _offer(self) -> None:
        """Offer what can be done now."""
        self.reset.enabled = self.keep.enabled = bool(self.changed())
        self.fit.enabled = bool(self.values())
