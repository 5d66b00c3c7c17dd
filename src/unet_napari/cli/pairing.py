"""Which labels belong to which image, by the names of their files."""

from __future__ import annotations

from pathlib import Path

from unet_napari.cli.values import image_files, stem
from unet_napari.collection.names import LABEL_SUFFIXES
from unet_napari.errors import ImageError

__all__ = ["matching_files", "matching_masks", "training_files"]

_NO_MASK = Path("-")


def training_files(images: list[Path], labels: list[Path]) -> list[tuple[Path, Path]]:
    """Pair images with labels: as `matching_files`, or several files in the same order.

    Raises
    ------
    ImageError
        If there are not as many labels as images, or a folder is among several files.
    """
    if len(images) == len(labels) == 1:
        return matching_files(images[0], labels[0])
    if len(images) != len(labels):
        raise ImageError(
            f"{len(images)} images, but {len(labels)} labels: give one for each image, in the same "
            "order, or one folder of each."
        )
    return [
        (_one_file(image), _one_file(label)) for image, label in zip(images, labels, strict=True)
    ]


def matching_masks(images: list[Path], masks: list[Path]) -> list[Path | None]:
    """Return the mask of each image, None where it has none.

    Parameters
    ----------
    images
        The files of the images.
    masks
        One file for each image, in the same order, with ``-`` for an image without one; or a
        folder, whose masks have the names of their images.

    Raises
    ------
    ImageError
        If there are not as many masks as images, or one in the folder belongs to no image.
    """
    if len(masks) == 1 and masks[0].is_dir() and image_files(masks[0]) != masks:
        found = _by_stem(image_files(masks[0]))
        _refuse_lonely(images[0].parent, sorted({*found} - {stem(path) for path in images}))
        return [found.get(stem(path)) for path in images]
    if not masks:
        return [None] * len(images)
    if len(masks) != len(images):
        raise ImageError(
            f"{len(images)} images, but {len(masks)} masks: give one for each image, in the same "
            "order and - for an image without, or a folder of them."
        )
    return [None if mask == _NO_MASK else _one_file(mask) for mask in masks]


def _one_file(path: Path) -> Path:
    found = image_files(path)
    if found != [path]:
        raise ImageError(f"{path} is a folder: give several files, or one folder.")
    return path


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
