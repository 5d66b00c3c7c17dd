"""Settings and files as the words of a program and of a command."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from unet_napari._version import __version__
from unet_napari.options import options_of

if TYPE_CHECKING:
    from unet_napari.options import Config, ConfigField

__all__ = [
    "ImageFile",
    "Repeatable",
    "call_text",
    "changed_settings",
    "flag_words",
    "keyword_texts",
    "saved_as",
    "with_notes",
]

_SAVE = "Save the layer '{layer}' as '{path}' first (File > Save Selected Layers)."
_LINE = 88  # characters of a line of a program


class Repeatable(Protocol):
    """What was done, to be told as a program or as a command."""

    def notes(self, *, command: bool) -> list[str]:
        """Say what has to be done before, and what is another than it was."""

    def python(self) -> str:
        """Return it as a program."""

    def command(self) -> str:
        """Return it as a command."""


@dataclass(frozen=True)
class ImageFile:
    """The file of an image, and how it is read.

    Attributes
    ----------
    path
        The file; where there is none, what the layer should be saved as.
    layer
        Name of the layer, if it has to be saved first; else empty.
    axes, channel
        What has to be said when it is read; None where the file says it.
    pixel_size
        Micrometres by axis, where the file does not say them.
    """

    path: str
    layer: str = ""
    axes: str | None = None
    channel: int | None = None
    pixel_size: Mapping[str, float] = field(default_factory=dict)

    @property
    def flags(self) -> list[str]:
        """How a command reads it."""
        words = [] if self.axes is None else ["--axes", self.axes]
        words += [] if self.channel is None else ["--channel", str(self.channel)]
        sizes = ",".join(f"{axis}={float(size)!r}" for axis, size in self.pixel_size.items())
        return [*words, "--scale", sizes] if sizes else words

    @property
    def python(self) -> str:
        """An expression that opens it."""
        said = {
            name: value
            for name in ("axes", "channel", "pixel_size")
            if (value := getattr(self, name)) not in (None, {})
        }
        if not said:
            return repr(self.path)
        return f"read_image({', '.join([repr(self.path), *keyword_texts(said)])})"

    def notes(self) -> list[str]:
        """Say what has to be done before."""
        return [_SAVE.format(layer=self.layer, path=self.path)] if self.layer else []


def saved_as(layer: str) -> str:
    """Return what a layer of a name could be saved as."""
    name = re.sub(r"[^\w\-+.,()]+", "-", layer).strip("-.")
    return f"{name or 'layer'}.tif"


def with_notes(recipe: Repeatable, *, command: bool) -> str:
    """Return what is copied: comments on what to do first, and the program or the command."""
    text = recipe.command() if command else recipe.python()
    made = f"Made by unet-napari {__version__}."
    lines = [f"# {note}" for note in (made, *recipe.notes(command=command))]
    return "\n".join([*lines, text, ""])


def call_text(target: str, function: str, arguments: Sequence[str]) -> str:
    """Return a call, with each argument on a line of its own where it is long."""
    short = f"{target} = {function}({', '.join(arguments)})"
    if len(short) <= _LINE and "\n" not in short:
        return short
    inner = "".join(f"    {argument},\n" for argument in arguments)
    return f"{target} = {function}(\n{inner})"


def keyword_texts(values: Mapping[str, Any]) -> list[str]:
    """Return the keywords of a call."""
    return [f"{name}={value!r}" for name, value in values.items()]


def changed_settings(config: type[Config], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not the usual ones."""
    usual = config().to_dict()
    return {name: value for name, value in values.items() if value != usual.get(name)}


def flag_words(config: type[Config], values: Mapping[str, Any]) -> list[str]:
    """Return settings as the words of a command; a None has no words."""
    words: list[str] = []
    for name, value in values.items():
        option = options_of(config)[name]
        if option.kind == "table":
            for key, one in value.items():
                words += [option.flags[0], f"{key}={_json_text(one)}"]
        elif value is not None:
            words += [option.flags[0], *_words(option, value)]
    return words


def _words(option: ConfigField, value: Any) -> list[str]:  # noqa: ANN401  of any option
    if option.kind == "switch" or value is True:
        return []
    if option.kind == "sizes":
        return [",".join(map(str, value))]
    return [str(value)]


def _json_text(value: Any) -> str:  # noqa: ANN401  of any option
    """Return a value as ``KEY=VALUE`` has it: plain text stays as it is."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value)
