"""Which labels belong to which image, by the names of their files."""

from __future__ import annotations

from pathlib import Path

from unet_napari.cli.values import image_files, stem
from unet_napari.collection.names import LABEL_SUFFIXES
from unet_napari.errors import ImageError

__all__ = ["matching_files"]


def matching_files(images: Path, labels: Path) -> list[tuple[Path, Path]]:
    """Pair images with labels: two files, two folders, or one folder that holds both.

    Labels have the name of their image, or that name and one of `LABEL_SUFFIXES`; in one folder
    it is the suffix that tells them from images. What the names end in (.tif, .zarr) may differ.

    Raises
    ------
    ImageError
        If an image or a label has no partner, or more than one, naming the first ones.
    """
    image_list, label_list = image_files(images), image_files(labels)
    if images.resolve() == labels.resolve():
        if len(image_list) == 1:
            raise ImageError(f"{images} holds one image and no labels of it.")
        label_list = _with_label_names(image_list)
        image_list = [path for path in image_list if path not in label_list]
        if not label_list:
            raise ImageError(
                f"Images and labels are both to be in {images}, but no file there is called like "
                f"another with {', '.join(LABEL_SUFFIXES)} behind it."
            )
    elif len(image_list) == len(label_list) == 1:
        return [(image_list[0], label_list[0])]
    image_of = _by_stem(image_list)
    label_of = _by_stem(label_list)
    pairs: list[tuple[Path, Path]] = []
    lonely: list[str] = []
    for name, image in image_of.items():
        partners = [label_of[n] for n in _label_names(name) if n in label_of]
        if len(partners) > 1:
            several = ", ".join(path.name for path in partners)
            raise ImageError(f"{image.name} has several labels in {labels}: {several}.")
        if partners:
            pairs.append((image, partners[0]))
        else:
            lonely.append(name)
    _refuse_lonely(labels, lonely)
    taken = {partner for _, partner in pairs}
    _refuse_lonely(images, [stem(path) for path in label_list if path not in taken])
    return pairs


def _with_label_names(paths: list[Path]) -> list[Path]:
    """Return those that are called like another one with a suffix of labels behind it."""
    names = {stem(path) for path in paths}
    labels = {label for name in names for label in _label_names(name)[1:]}
    return [path for path in paths if stem(path) in labels]


def _label_names(name: str) -> list[str]:
    return [name, *(name + suffix for suffix in LABEL_SUFFIXES)]


def _by_stem(paths: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (stem(path), path.name)):
        name = stem(path)
        if name in found:
            raise ImageError(
                f"{found[name].name} and {path.name} in {path.parent} have one name: keep one of "
                "them, or rename it."
            )
        found[name] = path
    return found


def _refuse_lonely(folder: Path, names: list[str]) -> None:
    if names:
        first = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        raise ImageError(f"{folder} has no file of the same name for {len(names)}: {first}.")
