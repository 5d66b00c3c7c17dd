"""What a dock has done, as Python and as a command. Works on plain values; knows no Qt."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from unet_napari._version import __version__
from unet_napari.inference.config import CellThresholds, InferenceConfig
from unet_napari.options import Config, ConfigField, options_of

__all__ = ["ImageFile", "LabelsFile", "Measuring", "Segmenting", "with_notes"]

_SAVE = "Save the layer '{layer}' as '{path}' first (File > Save Selected Layers)."
_PIXEL_SIZE = "The pixel size is not in the file, and a command takes none: results in pixels only."


@dataclass(frozen=True)
class ImageFile:
    """The file of an image layer, and how it is read.

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
        axes = [] if self.axes is None else ["--axes", self.axes]
        return axes if self.channel is None else [*axes, "--channel", str(self.channel)]

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
        return f"read_image({', '.join([repr(self.path), *_keywords(said)])})"

    def notes(self, *, command: bool) -> list[str]:
        """Say what has to be done before."""
        notes = [_SAVE.format(layer=self.layer, path=self.path)] if self.layer else []
        return [*notes, _PIXEL_SIZE] if command and self.pixel_size else notes


LabelsFile = ImageFile
"""The file of a labels layer is told as that of an image."""


@dataclass(frozen=True)
class Segmenting:
    """A segmentation.

    Attributes
    ----------
    image
        What was segmented.
    model
        Name or file of the model.
    settings
        ``InferenceConfig.to_dict()``.
    thresholds
        Thresholds that replaced those of the model.
    output
        File that the labels go to.
    measured
        Whether the cells were measured, too.
    part
        Whether only a part was segmented, which a command cannot name.
    """

    image: ImageFile
    model: str
    settings: Mapping[str, Any]
    thresholds: Mapping[str, float]
    output: str
    measured: bool = False
    part: bool = False

    def notes(self, *, command: bool) -> list[str]:
        """Say what has to be done before, and what is another than in the dock."""
        notes = self.image.notes(command=command)
        if self.part:
            notes.append("This segments the whole image; the dock has segmented a part of it.")
        return notes

    def python(self) -> str:
        """Return it as a program."""
        changed = _changed(InferenceConfig, self.settings)
        if self.thresholds:
            changed["thresholds"] = dict(self.thresholds)
        image, model = self.image.python, repr(self.model)
        reading = image.startswith("read_image(")
        names = ["measure"] * self.measured + ["read_image"] * reading + ["segment"]
        lines = [f"from unet_napari import {', '.join(names)}", ""]
        if reading:
            lines.append(f"image = {image}")
            image = "image"
        lines.append(_call("labels", "segment", [image, model, *_keywords(changed)]))
        if self.measured:
            slicewise = ["slicewise=True"] if changed.get("slicewise") else []
            lines.append(_call("table", "measure", ["labels", image, *slicewise]))
        return "\n".join(lines)

    def command(self) -> str:
        """Return it as a command."""
        words = ["unet-napari", "segment", self.image.path, "--model", self.model]
        words += ["--output", self.output, *self.image.flags]
        words += _flags(InferenceConfig, _changed(InferenceConfig, self.settings))
        words += _flags(CellThresholds, self.thresholds)
        if self.measured:
            words += ["--table", f"{self.output.removesuffix('.tif')}.csv"]
        return shlex.join(words)


@dataclass(frozen=True)
class Measuring:
    """A measurement of labels that were there.

    Attributes
    ----------
    labels, image
        The labels, and the image that they lie on.
    slicewise
        Whether each slice was measured as an image of its own.
    output
        File that the table goes to.
    """

    labels: LabelsFile
    image: ImageFile | None
    output: str
    slicewise: bool = False

    def notes(self, *, command: bool) -> list[str]:
        """Say what has to be done before."""
        image = [] if self.image is None else self.image.notes(command=command)
        return [*self.labels.notes(command=command), *image]

    def python(self) -> str:
        """Return it as a program."""
        places = [repr(self.labels.path) if self.image is not None else self.labels.python]
        places += [] if self.image is None else [self.image.python]
        reads = any(place.startswith("read_image(") for place in places)
        names = "measure, read_image" if reads else "measure"
        slicewise = ["slicewise=True"] if self.slicewise else []
        return f"from unet_napari import {names}\n\n" + _call(
            "table", "measure", [*places, *slicewise]
        )

    def command(self) -> str:
        """Return it as a command."""
        words = ["unet-napari", "measure", self.labels.path]
        if self.image is None:
            words += self.labels.flags
        else:
            words += ["--image", self.image.path, *self.image.flags]
        words += ["--slicewise"] if self.slicewise else []
        return shlex.join([*words, "--output", self.output])


def with_notes(recipe: Any, *, command: bool) -> str:  # noqa: ANN401  anything with these methods
    """Return what is copied: comments on what to do first, and the program or the command."""
    text = recipe.command() if command else recipe.python()
    made = f"Made by unet-napari {__version__}."
    lines = [f"# {note}" for note in (made, *recipe.notes(command=command))]
    return "\n".join([*lines, text, ""])


def _call(target: str, function: str, arguments: Sequence[str]) -> str:
    """Return a call, with each argument on a line of its own where it is long."""
    short = f"{target} = {function}({', '.join(arguments)})"
    if len(short) <= 88:
        return short
    inner = "".join(f"    {argument},\n" for argument in arguments)
    return f"{target} = {function}(\n{inner})"


def _keywords(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value!r}" for name, value in values.items()]


def _changed(config: type[Config], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not the usual ones."""
    usual = config().to_dict()
    return {name: value for name, value in values.items() if value != usual.get(name)}


def _flags(config: type[Config], values: Mapping[str, Any]) -> list[str]:
    """Return settings as the words of a command."""
    words: list[str] = []
    for name, value in values.items():
        option = options_of(config)[name]
        words += [option.flags[0], *_words(option, value)]
    return words


def _words(option: ConfigField, value: Any) -> list[str]:  # noqa: ANN401  of any option
    if option.kind == "switch":
        return []
    if option.kind == "sizes":
        return [",".join(map(str, value))]
    return [str(value)]
