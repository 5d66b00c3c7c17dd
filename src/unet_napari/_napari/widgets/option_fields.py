"""The fields of a dock that show the options of a config."""

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from magicgui.widgets import CheckBox, FloatSlider, FloatSpinBox, LineEdit, Slider, SpinBox
from magicgui.widgets.bases import Widget

from unet_napari._napari.widgets.fields import choice, optional, whereabouts
from unet_napari._napari.widgets.form import FormRows
from unet_napari.checks import Range
from unet_napari.errors import SettingsError
from unet_napari.options import Config, ConfigField, Door, options_of

__all__ = [
    "OptionFields",
    "choices_shown",
    "line_field",
    "read_line",
    "slider_field",
    "spin_field",
]

_SHOWN_UNITS = {"bytes": 1 << 30, "seconds": 60}  # how many of them a shown gigabyte, minute is
_PERCENT = 100
_SHARE_STEP = 5  # percent
_SLIDER_STEP = 0.01


class OptionFields:
    """The fields that show the options of a config, each made by what its annotation says.

    Parameters
    ----------
    config : type of Config
        The config; those of its options are shown that claim the dock.
    made : mapping of str to Widget, optional
        Fields of another kind than the usual one, by the names of the options. Whoever makes one
        also reads its value.
    elsewhere : collection of str
        Names of options that another part of the dock shows.
    """

    def __init__(
        self,
        config: type[Config],
        made: Mapping[str, Widget] | None = None,
        elsewhere: Collection[str] = (),
    ) -> None:
        self._made = made or {}
        self._options = {
            name: field
            for name, field in options_of(config).items()
            if Door.DOCK in field.option.doors and name not in elsewhere
        }
        self._fields: dict[str, Widget] = {
            name: self._made[name] if name in self._made else _make_field(field)
            for name, field in self._options.items()
        }
        self._placed: set[str] = set()

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  the kinds of fields differ
        """Return the field of an option."""
        return self._fields[name]

    def place(
        self, rows: FormRows, *names: str, beside: Mapping[str, Sequence[Widget]] | None = None
    ) -> None:
        """Add the fields of some options to the dock, in this order.

        Parameters
        ----------
        rows
            The folded group that they are added to.
        names
            The options.
        beside
            Small widgets that stand beside the field of an option, by its name.
        """
        for name in names:
            self._placed.add(name)
            field = self._fields[name]
            if isinstance(field, CheckBox):
                rows.add_wide(field)
            else:
                rows.add(field, *(beside or {}).get(name, ()))

    def place_groups(
        self, rows: FormRows, *groups: str, beside: Mapping[str, Sequence[Widget]] | None = None
    ) -> None:
        """Add the fields of whole groups, without those that have a place already."""
        for group in groups:
            names = [
                name
                for name, field in self._options.items()
                if field.option.group == group and name not in self._placed
            ]
            self.place(rows, *names, beside=beside)

    def called(self, name: str) -> str:
        """Return how messages call an option: as its field, and where that is."""
        return whereabouts(self._fields[name]) if name in self._fields else name

    def values(self) -> dict[str, Any]:
        """Return the values in the fields, without those that were made elsewhere.

        Raises
        ------
        SettingsError
            If a field does not hold what it should, naming it and the group that it is in.
        """
        return {
            name: _read_field(field, self._fields[name])
            for name, field in self._options.items()
            if name not in self._made
        }


def choices_shown(field: ConfigField) -> list[tuple[str, object]]:
    """Return the choices of an option as ``(text, value)`` pairs."""
    texts = dict(field.texts)
    return [(texts.get(value, str(value)), value) for value in field.choices]


def line_field(field: ConfigField, name: str = "") -> LineEdit:
    """Return a line of text for an option; while it is empty, the option has its default."""
    line = optional(name or field.name, field.tooltip, label=field.label)
    if field.default in field.words:
        line.native.setPlaceholderText(field.default)
    return line


def spin_field(field: ConfigField) -> FloatSpinBox | SpinBox:
    """Return a field with arrows for a number that has a lowest and a highest value."""
    within: Range = field.option.range
    name, label, tooltip = field.name, field.label, field.tooltip
    if field.kind == "whole":
        least, most = int(within.low), int(within.high)
        return SpinBox(name=name, label=label, min=least, max=most, tooltip=tooltip)
    percent = field.option.unit == "share"
    shown = _PERCENT if percent else 1
    low, high = shown * within.low, shown * within.high
    step = _SHARE_STEP if percent else (high - low) / 20
    spin = FloatSpinBox(name=name, label=label, min=low, max=high, step=step, tooltip=tooltip)
    if percent:
        spin.native.setDecimals(0)
        spin.native.setSuffix(" %")
    return spin


def slider_field(field: ConfigField, most: int) -> FloatSlider | Slider:
    """Return a slider, with its number beside it, for a number that has a lowest value.

    Parameters
    ----------
    field : ConfigField
        The option.
    most : int
        The right end of a slider of whole numbers; another number goes up to its highest value.
    """
    within: Range = field.option.range
    name, label, tooltip = field.name, field.label, field.tooltip
    if field.kind == "whole":
        return Slider(name=name, label=label, min=int(within.low), max=most, tooltip=tooltip)
    low, high = within.low, within.high
    return FloatSlider(
        name=name, label=label, min=low, max=high, step=_SLIDER_STEP, tooltip=tooltip
    )


def read_line(field: ConfigField, line: LineEdit) -> Any:  # noqa: ANN401  of the option's type
    """Return the value in a line of text.

    Raises
    ------
    SettingsError
        If it is none that the option may have.
    """
    text = str(line.value).strip()
    if not text:
        return field.default
    if text in field.words or field.kind in ("text", "file"):
        return text
    value = _parsed(field, text)
    if value is None or not field.accepts(value):
        shown = field.option.unit in _SHOWN_UNITS  # what is typed is no number of bytes
        expected = "a number above 0" if shown else field.expected
        raise SettingsError(f"{whereabouts(line)} must be {expected}, not '{text}'.")
    return value


def _parsed(field: ConfigField, text: str) -> tuple[int, ...] | float | None:
    """Turn a text into whole numbers along the axes, or a number; None if it is nothing such."""
    if field.kind == "sizes":
        parts = [part for part in re.split(r"[\s,x]+", text) if part]
        return tuple(map(int, parts)) if all(map(str.isdecimal, parts)) else None
    with suppress(ValueError, OverflowError):
        if field.option.unit in _SHOWN_UNITS:
            value = float(text) * _SHOWN_UNITS[field.option.unit]
            return int(value) if field.kind == "whole" else value
        return int(text) if field.kind == "whole" else float(text)
    return None


def _make_field(field: ConfigField) -> Widget:
    within = field.option.range
    if field.kind == "switch":
        return CheckBox(
            name=field.name, text=field.label, tooltip=field.tooltip, value=field.default
        )
    if field.kind == "choice":
        combo = choice(field.name, choices_shown(field), field.tooltip, label=field.label)
        combo.value = field.default
        return combo
    limited = within.low > float("-inf") and within.high < float("inf")
    if field.kind in ("whole", "number") and limited and not field.optional and not field.words:
        spin = spin_field(field)
        spin.value = field.default * (_PERCENT if field.option.unit == "share" else 1)
        return spin
    return line_field(field)


def _read_field(field: ConfigField, widget: Any) -> Any:  # noqa: ANN401  any field
    if isinstance(widget, LineEdit):
        return read_line(field, widget)
    return widget.value / _PERCENT if field.option.unit == "share" else widget.value
