"""Which list of images was open last, remembered beside the models."""

from pathlib import Path

from unet_napari.collection.image_list import ImageList
from unet_napari.collection.known_lists import KnownList, KnownLists
from unet_napari.model.info import files_beside_models, models_folder

__all__ = ["known_labels_folder", "last_list", "remember", "remember_closed"]

_ENDING = ".lists"


def last_list() -> KnownList | None:
    """Return the list that was open last; None if there was none."""
    found = files_beside_models(_ENDING)
    return next(iter(KnownLists(found[0]).all()), None) if found else None


def known_labels_folder(folder: Path) -> Path | None:
    """Return the folder that the labels of a folder's images were saved to last."""
    found = files_beside_models(_ENDING)
    return KnownLists(found[0]).labels_folder(folder) if found else None


def remember(images: ImageList, name: str | None) -> None:
    """Remember which list and which image is open, for after a crash.

    Raises
    ------
    OutputError
        If that cannot be written.
    """
    known = KnownList(str(images.folder), str(images.labels_folder), name or "")
    KnownLists(models_folder() / f"images{_ENDING}").note(known)


def remember_closed(images: ImageList) -> None:
    """Remember that a list was closed by its user.

    Raises
    ------
    OutputError
        If that cannot be written.
    """
    KnownLists(models_folder() / f"images{_ENDING}").close(images.folder)
