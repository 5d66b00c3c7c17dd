"""A training, as a program and as a command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unet_napari.recipes.told import (
    ImageFile,
    call_text,
    changed_settings,
    flag_words,
    keyword_texts,
)
from unet_napari.training.config import TrainConfig

__all__ = ["RepeatedTraining", "TrainedPair"]

_READ_UNLIKE = "The images are read in unlike ways, which a command cannot say: copy as Python."
_NAMED = ("task", "ndim")  # also where they are the usual ones


@dataclass(frozen=True)
class TrainedPair:
    """An image and what was painted on it, as files.

    Attributes
    ----------
    image
        The image.
    labels
        File of what was painted.
    annotated
        File of a mask of where everything is painted; None where nobody said so.
    """

    image: ImageFile
    labels: str
    annotated: str | None = None


@dataclass(frozen=True)
class RepeatedTraining:
    """A training that was made, to be made again.

    Attributes
    ----------
    pairs
        What was trained on.
    settings
        ``TrainConfig.to_dict()``.
    start
        Name of the model that it starts from, or ``"nothing"``.
    output
        File that the model goes to.
    remarks
        How like the first model the second one becomes.
    """

    pairs: Sequence[TrainedPair]
    settings: Mapping[str, Any]
    start: str
    output: str
    remarks: Sequence[str] = ()

    def notes(self, *, command: bool) -> list[str]:
        """Say what has to be done before, and how like the first model the second one becomes."""
        images = [pair.image for pair in self.pairs]
        notes = [note for image in images for note in image.notes()]
        if command and any(image.flags != images[0].flags for image in images):
            notes.append(_READ_UNLIKE)
        return [*notes, *self.remarks]

    def python(self) -> str:
        """Return it as a program."""
        images = [pair.image.python for pair in self.pairs]
        reads = any(image.startswith("read_image(") for image in images)
        arguments = [_listed(images), _listed([repr(pair.labels) for pair in self.pairs])]
        if any(pair.annotated for pair in self.pairs):
            masks = _listed([repr(pair.annotated) for pair in self.pairs])
            arguments.append(f"annotated={masks}")
        arguments += keyword_texts({"start_from": self.start, **self._settings()})
        names = "read_image, train" if reads else "train"
        call = call_text("model", "train", arguments)
        return f"from unet_napari import {names}\n\n{call}\nmodel.save({self.output!r})"

    def command(self) -> str:
        """Return it as a command."""
        words = ["unet-napari", "train"]
        words += ["--images", *(pair.image.path for pair in self.pairs)]
        words += ["--labels", *(pair.labels for pair in self.pairs)]
        if any(pair.annotated for pair in self.pairs):
            words += ["--annotated", *(pair.annotated or "-" for pair in self.pairs)]
        words += [*self.pairs[0].image.flags, "--output", self.output, "--start-from", self.start]
        return shlex.join([*words, *flag_words(TrainConfig, self._settings())])

    def _settings(self) -> dict[str, Any]:
        """Return the settings that have to be said."""
        said = {name: self.settings[name] for name in _NAMED}
        for name, value in changed_settings(TrainConfig, self.settings).items():
            if isinstance(value, Mapping):
                usual = TrainConfig().to_dict()[name]
                said[name] = {k: v for k, v in value.items() if k not in usual or v != usual[k]}
            elif value is not None:
                said[name] = value
        return said


def _listed(texts: Sequence[str]) -> str:
    """Return an argument: a single text, or a list with each on a line of its own."""
    if len(texts) == 1:
        return texts[0]
    lines = "".join(f"        {text},\n" for text in texts)
    return f"[\n{lines}    ]"
