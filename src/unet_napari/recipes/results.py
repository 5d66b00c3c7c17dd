"""A segmentation and a measurement, as a program and as a command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unet_napari.inference.config import CellThresholds, InferenceConfig
from unet_napari.recipes.told import (
    ImageFile,
    call_text,
    changed_settings,
    flag_words,
    keyword_texts,
)

__all__ = ["LabelsFile", "Measuring", "Segmenting"]

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
        Whether only what was in view or a slice was segmented, which a command cannot name.
    region
        The region that was segmented, as text; empty for all of the image.
    """

    image: ImageFile
    model: str
    settings: Mapping[str, Any]
    thresholds: Mapping[str, float]
    output: str
    measured: bool = False
    part: bool = False
    region: str = ""

    def notes(self, *, command: bool) -> list[str]:
        """Say what has to be done before, and what is another than in the dock."""
        del command  # both do the same
        notes = self.image.notes()
        if self.part:
            notes.append("This segments the whole image; the dock has segmented a part of it.")
        return notes

    def python(self) -> str:
        """Return it as a program."""
        changed = changed_settings(InferenceConfig, self.settings)
        if self.thresholds:
            changed["thresholds"] = dict(self.thresholds)
        if self.region:
            changed["region"] = self.region
        image, model = self.image.python, repr(self.model)
        reading = image.startswith("read_image(")
        names = ["measure"] * self.measured + ["read_image"] * reading + ["segment"]
        lines = [f"from unet_napari import {', '.join(names)}", ""]
        if reading:
            lines.append(f"image = {image}")
            image = "image"
        lines.append(call_text("labels", "segment", [image, model, *keyword_texts(changed)]))
        if self.measured:
            slicewise = ["slicewise=True"] if changed.get("slicewise") else []
            lines.append(call_text("table", "measure", ["labels", image, *slicewise]))
        return "\n".join(lines)

    def command(self) -> str:
        """Return it as a command."""
        words = ["unet-napari", "segment", self.image.path, "--model", self.model]
        words += ["--output", self.output, *self.image.flags]
        words += flag_words(InferenceConfig, changed_settings(InferenceConfig, self.settings))
        words += flag_words(CellThresholds, self.thresholds)
        words += ["--region", self.region] if self.region else []
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
        del command  # both do the same
        image = [] if self.image is None else self.image.notes()
        return [*self.labels.notes(), *image]

    def python(self) -> str:
        """Return it as a program."""
        places = [repr(self.labels.path) if self.image is not None else self.labels.python]
        places += [] if self.image is None else [self.image.python]
        reads = any(place.startswith("read_image(") for place in places)
        names = "measure, read_image" if reads else "measure"
        slicewise = ["slicewise=True"] if self.slicewise else []
        return f"from unet_napari import {names}\n\n" + call_text(
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
