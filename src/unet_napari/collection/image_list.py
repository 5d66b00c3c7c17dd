"""A list of images: the files of a folder with their labels, and what became of each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unet_napari.collection.kept_facts import ImageFacts, KeptFacts
from unet_napari.collection.names import LabelsFolder, images_in, labels_names
from unet_napari.errors import ImageError, OutputError
from unet_napari.images.formats.names import image_stem

__all__ = ["ImageEntry", "ImageList"]

_LABELS_ENDING = "_labels.tif"
_GONE = "'{}' is not in the folder any more."


@dataclass(frozen=True)
class ImageEntry:
    """One image of a list.

    Attributes
    ----------
    image
        The file.
    labels
        The file that its labels are saved to, which may not be there yet.
    stored
        The file that its labels are read from: `labels`, or those that another program has
        made; None where there are none.
    problem
        Why it cannot be used, in one line; empty where it can.
    facts
        What else is kept about it, such as what was found in it.
    """

    image: Path
    labels: Path
    stored: Path | None = None
    problem: str = ""
    facts: ImageFacts = field(default_factory=ImageFacts)

    @property
    def result(self) -> Path | None:
        """File of what a model has found in it; None where there is none."""
        return None if self.facts.result is None else self.labels.parent / self.facts.result

    @property
    def name(self) -> str:
        """What the list calls it: the name of its file."""
        return self.image.name

    @property
    def title(self) -> str:
        """What tables call it: its file without the ending, no two the same."""
        return self.labels.name.removesuffix(_LABELS_ENDING)

    def result_of(self, model: str) -> Path:
        """Return the file for what a model of a name or path finds in it."""
        return self.labels.parent / f"{Path(model).stem} results" / f"{self.title}.tif"


class ImageList:
    """The images of a folder.

    Parameters
    ----------
    folder
        The folder.
    labels_folder
        The folder that labels are saved to; by default they lie beside their images.

    Raises
    ------
    ImageError
        If the folder cannot be listed, or holds no image that can be read.

    Attributes
    ----------
    folder, labels_folder : Path
    """

    def __init__(self, folder: Path, labels_folder: Path | None = None) -> None:
        self.folder = folder
        self.labels_folder = labels_folder or folder
        self._facts = KeptFacts(self.labels_folder)
        self._images: list[ImageEntry] = []
        self.look_again()
        if not self._images:
            raise ImageError(f"The folder '{folder}' contains no image that can be read.")

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[ImageEntry]:
        return iter(self._images)

    def __getitem__(self, name: str) -> ImageEntry:
        return next(listed for listed in self._images if listed.name == name)

    def look_again(self) -> None:
        """Look at the folder: new images come in, and those that are gone are said to be.

        Raises
        ------
        ImageError
            If the folder cannot be listed.
        """
        try:
            found = images_in(self.folder)
            files = LabelsFolder(self.labels_folder.iterdir())
        except OSError as error:
            raise ImageError(
                f"The folder '{error.filename}' cannot be listed: {error.strerror}."
            ) from error
        self._facts.look_again()
        there, before = set(found), {listed.image: listed for listed in self._images}
        paths = sorted({*found, *before})
        names = labels_names(paths, self._facts.labels_names())
        self._images = []
        for path in paths:
            labels = self.labels_folder / names[path.name]
            facts = self._facts[path.name]
            known = before[path].problem if path in before else ""
            gone = _GONE.format(path.name)
            self._images.append(
                ImageEntry(
                    path,
                    labels,
                    files.labels_of(path, labels),
                    gone if path not in there else "" if known == gone else known,
                    facts,
                )
            )

    def look_at(self, name: str) -> ImageEntry:
        """Look whether one image and its labels are still there, and return what is known of it."""
        entry = self[name]
        if not entry.image.exists():
            changed = replace(entry, problem=_GONE.format(name))
        else:
            stem = image_stem(name)
            beside = (p for p in self.labels_folder.iterdir() if p.name.startswith(stem))
            stored = LabelsFolder(beside).labels_of(entry.image, entry.labels)
            changed = replace(entry, stored=stored, problem="")
        self._replace(changed)
        return changed

    def step(self, name: str | None, by: int) -> ImageEntry | None:
        """Return the usable image before or behind another one.

        Parameters
        ----------
        name
            Where to begin; None: before the first one.
        by
            1 for the next, -1 for the one before.

        Returns
        -------
        ImageEntry or None
            None if there is none.
        """
        names = [listed.name for listed in self._images]
        at = names.index(name) if name in names else -1
        ahead = self._images[at + 1 :] if by > 0 else self._images[: max(0, at)][::-1]
        return next((listed for listed in ahead if not listed.problem), None)

    def note_problem(self, name: str, problem: str) -> None:
        """Remember why an image cannot be used, or with an empty text that it can."""
        self._replace(replace(self[name], problem=problem))

    def change(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep facts about some images, such as whether they take part in a training.

        Parameters
        ----------
        changes
            Fields of `ImageFacts` and their values, by the names of the images.

        Raises
        ------
        OutputError
            If they cannot be kept; they count nevertheless, until the program ends.
        """
        for name, facts in changes.items():
            entry = self[name]
            self._replace(replace(entry, facts=replace(entry.facts, **facts)))
        self._facts.change(changes)

    def note_saved(self, name: str, labels: Path, facts: Mapping[str, Any]) -> None:
        """Remember where the labels of an image are, and what is to be known of them.

        Raises
        ------
        OutputError
            If that cannot be kept.
        """
        self._replace(replace(self[name], labels=labels, stored=labels))
        self.change({name: {"labels": labels.name, **facts}})

    def check_writable(self) -> None:
        """Find out whether labels can be saved.

        Raises
        ------
        OutputError
            If the folder cannot be written to.
        """
        try:
            with tempfile.TemporaryFile(dir=self.labels_folder):
                pass
        except OSError as error:
            raise OutputError(
                f"The folder '{self.labels_folder}' cannot be written to "
                f"({error.strerror or os.strerror(error.errno or 0)}): choose another one for the "
                "labels, with Labels to…."
            ) from error

    def _replace(self, changed: ImageEntry) -> None:
        self._images = [
            changed if listed.name == changed.name else listed for listed in self._images
        ]
