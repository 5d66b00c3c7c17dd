"""Which files of a folder are images, and which are the labels of one of them, by their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from unet_napari.images.formats.names import image_stem, is_image_name

__all__ = [
    "LABEL_SUFFIXES",
    "LabelsFolder",
    "images_in",
    "labels_names",
    "numbered",
    "without_labels",
]

LABEL_SUFFIXES = ("_cp_masks", "_masks", "_mask", "_labels", "_label", "_seg")
"""What the name of labels may have behind that of their image, as Cellpose and others write it."""

_OURS = "_labels"  # what paint is saved with, so that the commands find it
_ENDING = ".tif"
# Further labels of one image, as where two programs have painted on it.
_NUMBERED = re.compile(r"(.+_labels)_\d+")


def images_in(folder: Path) -> list[Path]:
    """List the images of a folder by name; labels of images in it are none.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    """
    return without_labels(sorted(p for p in folder.iterdir() if is_image_name(p.name)))


def without_labels(files: Iterable[Path]) -> list[Path]:
    """Leave out the labels, by their names, of images that are among the same files."""
    found = list(files)
    names = {name for path in found for name in (image_stem(path.name), path.name)}
    return [path for path in found if not _is_labels_name(image_stem(path.name), names)]


def _is_labels_name(name: str, images: Collection[str]) -> bool:
    match = _NUMBERED.fullmatch(name)
    name = match[1] if match else name
    return any(
        name.endswith(suffix) and name.removesuffix(suffix) in images for suffix in LABEL_SUFFIXES
    )


def labels_names(images: Iterable[Path], known: Mapping[str, str]) -> dict[str, str]:
    """Return how the labels of each image are called, no two the same: ``NAME_labels.tif``.

    ``a.tif`` and ``a.png`` have one name: the labels of the second are ``a.png_labels.tif``.

    Parameters
    ----------
    images
        The images.
    known
        The names of those labels that there are already, by the names of the images' files: an
        image keeps its labels for good, whatever files are added to the folder.
    """
    names = dict(known)
    used = {name.casefold() for name in known.values()}
    for image in sorted(images):
        if image.name in names:
            continue
        name = f"{image_stem(image.name)}{_OURS}{_ENDING}"
        if name.casefold() in used:
            name = f"{image.name}{_OURS}{_ENDING}"
        names[image.name] = name
        used.add(name.casefold())
    return names


class LabelsFolder:
    """The files of a folder, among which the labels of images are looked for.

    Parameters
    ----------
    files
        The files.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = set(files)
        self._by_name: dict[str, Path] = {}
        for path in sorted(self._files):
            if is_image_name(path.name):
                self._by_name.setdefault(image_stem(path.name), path)

    def labels_of(self, image: Path, ours: Path) -> Path | None:
        """Return the labels that there are of an image: ours, or else those of another program.

        Parameters
        ----------
        image
            The image.
        ours
            What is painted goes there. If that is not the image's folder, labels may also have its
            very name.
        """
        if ours in self._files:
            return ours
        name = image_stem(image.name)
        # Where two images have one name, the labels of the first are not those of the second.
        if not ours.name.startswith(f"{name}{_OURS}"):
            return None
        wanted = [name + suffix for suffix in LABEL_SUFFIXES]
        if ours.parent != image.parent:
            wanted.append(name)
        return next((self._by_name[name] for name in wanted if name in self._by_name), None)


def numbered(path: Path) -> Path:
    """Return a name beside labels that nothing has yet, such as ``a_labels_2.tif``."""
    stem = path.name.removesuffix(_ENDING)
    number = 2
    while (other := path.with_name(f"{stem}_{number}{_ENDING}")).exists():
        number += 1
    return other
