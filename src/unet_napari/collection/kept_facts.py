"""What is kept about the images of a list, in a small file beside their labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from unet_napari.errors import SettingsError, warn_user
from unet_napari.records import Record
from unet_napari.system.atomic import open_atomic

__all__ = ["FACTS_NAME", "ImageFacts", "KeptFacts"]

FACTS_NAME = ".unet-napari-list.json"
"""The file beside the labels; its name begins with a dot, so that nobody takes it for an image."""

_VERSION = 1
_MOST_BYTES = 64 << 20  # of a file that is read; a hundred thousand images take less


@dataclass(frozen=True)
class ImageFacts(Record):
    """What is kept about one image.

    Attributes
    ----------
    labels
        Name of its labels file, as soon as there is one.
    train
        Whether it takes part in a training.
    background
        The number among its labels that means background; None: none does.
    painted
        Whether there is anything in its labels file.
    trained
        Name of the model that it was trained on for last; empty for none.
    result
        File of what a model has found in it, below the folder of the labels.
    model
        Name or path of that model.
    objects, doubt, worst_at, familiarity
        What was found: number of objects, their mean doubt, a pixel of the most doubtful one, and
        how like the image is to those that the model knows.
    """

    record_name: ClassVar[str] = "What is kept about an image"

    labels: str | None = None
    train: bool = True
    background: int | None = None
    painted: bool = True
    trained: str = ""
    result: str | None = None
    model: str = ""
    objects: int | None = None
    doubt: float | None = None
    worst_at: tuple[int, ...] = ()
    familiarity: float | None = None


class KeptFacts:
    """The facts about the images of a list, by the names of their files.

    Every change is written at once, and of that image alone, since another program may have the
    list open, too.

    Parameters
    ----------
    folder
        Folder of the labels.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FACTS_NAME
        self._unsaved: dict[str, ImageFacts] = {}
        self._facts = _read(self._path)

    def __getitem__(self, name: str) -> ImageFacts:
        return self._facts.get(name, ImageFacts())

    def labels_names(self) -> dict[str, str]:
        """Return the names of the labels that there are, by the names of their images' files."""
        return {name: facts.labels for name, facts in self._facts.items() if facts.labels}

    def background_of(self, labels: str) -> int | None:
        """Return the number that means background in a labels file, by its name."""
        found = (facts for facts in self._facts.values() if facts.labels == labels)
        return next((facts.background for facts in found), None)

    def look_again(self) -> None:
        """Take over what another program has written meanwhile."""
        self._facts = {**_read(self._path), **self._unsaved}

    def change(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Change facts about some images.

        Parameters
        ----------
        changes
            Fields of `ImageFacts` and their values, by the names of the images' files.

        Raises
        ------
        OutputError
            If they cannot be written; they count nevertheless, as long as this object lives.
        """
        changed = {name: replace(self[name], **facts) for name, facts in changes.items()}
        changed = {name: facts for name, facts in changed.items() if facts != self[name]}
        if not changed and not self._unsaved:
            return
        self._unsaved.update(changed)
        self.look_again()
        with open_atomic(self._path) as file:
            file.write(_encode(self._facts))
        self._unsaved.clear()


def _encode(facts: Mapping[str, ImageFacts]) -> bytes:
    images = {name: kept.to_dict() for name, kept in sorted(facts.items())}
    text = json.dumps({"version": _VERSION, "images": images}, indent=1, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape")


def _decode(content: bytes) -> dict[str, ImageFacts]:
    values = json.loads(content.decode("utf-8", "surrogateescape"))
    if values["version"] > _VERSION:
        raise SettingsError("It was written by a newer version.")
    return {str(name): ImageFacts.from_dict(kept) for name, kept in values["images"].items()}


def _read(path: Path) -> dict[str, ImageFacts]:
    """Read the file; one that is damaged counts for nothing, and that is said."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        warn_user(f"'{path}' cannot be read: {error.strerror}.", stacklevel=3)
        return {}
    try:
        return _decode(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SettingsError):
        warn_user(
            f"'{path}' is damaged or of a newer version: which images take part in a training is "
            "to be chosen anew.",
            stacklevel=3,
        )
        return {}
